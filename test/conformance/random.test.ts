import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DType } from "../../src/backend/dtype.ts";
import { randomWords } from "../../src/backend/js/philox.ts";
import { setThreadCount, threadCount } from "../../src/backend/native/native.ts";
import {
  bernoulli,
  Generator,
  getRandomState,
  manualSeed,
  rand,
  randint,
  randn,
  randperm,
  setRandomState,
  type Tensor,
  zeros,
} from "../../src/tensor/index.ts";
import { fillRandom } from "../../src/tensor/random.ts";
import { expectSame } from "../close.ts";
import { devices, otherDevices } from "./devices.ts";

/** Draws of every kind, one after another, from one seed. */
function draws(device: string, count: number): Tensor[] {
  manualSeed(42);
  return [
    rand([count], { device }),
    randn([count], { device }),
    randint(-1000, 1000, [count], { device }),
    randint(-(2 ** 31), 2 ** 31, [count], { device }),
    bernoulli([count], 0.3, { device }),
    randn([count, 3], { device, dtype: "bfloat16" }),
    rand([count], { device, dtype: "float16" }),
    bernoulli([count], 0.5, { device, dtype: "bool" }),
    fillRandom("uniform", zeros([count], { device }), -0.05, 0.05),
    fillRandom("normal", zeros([count], { device }), 3, 0.02),
    fillRandom("normal", zeros([3, count], { device }).transpose(0, 1), 0, 1),
  ];
}

test("the stream is the recorded one", () => {
  const hex = (words: Uint32Array): string[] => Array.from(words, (word) => word.toString(16).padStart(8, "0"));
  expect(hex(randomWords({ seed: 0, stream: 0, counter: 0 }, 4))).toEqual([
    "6627e8d5",
    "e169c58d",
    "bc57ac4c",
    "9b00dbd8",
  ]);
  expect(hex(randomWords({ seed: 42, stream: 7, counter: 2 ** 32 + 5 }, 6))).toEqual([
    "36cf8138",
    "7c568c24",
    "99518c8f",
    "29876eff",
    "38654778",
    "3fda851b",
  ]);
});

describe.each(devices)("on %s", (device) => {
  test("draws are the recorded ones", () => {
    manualSeed(42);
    expect(rand([5], { device }).toArray()).toEqual([
      0.6129598617553711, 0.4685865044593811, 0.07323169708251953, 0.3408614993095398, 0.9877186417579651,
    ]);
    expect(randn([6], { device }).toArray()).toEqual([
      -0.33696186542510986, -0.5187487006187439, 0.14856697618961334, -0.9952152371406555, -0.3797372579574585,
      -0.6973659992218018,
    ]);
    expect(randint(-10, 10, [8], { device }).toArray()).toEqual([-4, 6, -4, -6, -4, -5, -9, -10]);
    expect(bernoulli([6], 0.3, { device }).toArray()).toEqual([1, 0, 0, 1, 0, 0]);
  });

  test("seeds repeat, states continue, streams differ", () => {
    const generator = new Generator(5, 1);
    const first = rand([7], { device, generator });
    const state = generator.state();
    const second = rand([7], { device, generator });
    generator.setState(state);
    expectSame(rand([7], { device, generator }), second);
    generator.seed(5);
    expectSame(rand([7], { device, generator }), first);
    expect(rand([7], { device, generator: new Generator(5, 2) }).toArray()).not.toEqual(first.toArray());
    manualSeed(9);
    randn([3], { device });
    const global = getRandomState();
    const next = randn([3], { device });
    setRandomState(global);
    expectSame(randn([3], { device }), next);
  });

  test("moments and ranges are right", () => {
    manualSeed(1);
    const [u, n] = [rand([200_000], { device }), randn([200_000], { device })];
    expect(Math.abs(u.mean().item() - 0.5)).toBeLessThan(0.003);
    expect(Math.abs(u.var().item() - 1 / 12)).toBeLessThan(0.001);
    expect(u.min().item()).toBeGreaterThanOrEqual(0);
    expect(u.max().item()).toBeLessThan(1);
    expect(Math.abs(n.mean().item())).toBeLessThan(0.01);
    expect(Math.abs(n.std().item() - 1)).toBeLessThan(0.01);
    expect(Math.abs(n.pow(4).mean().item() - 3)).toBeLessThan(0.1);
    const dice = randint(1, 7, [60_000], { device });
    for (let face = 1; face < 7; face++) expect(Math.abs(dice.eq(face).sum().item() - 10_000)).toBeLessThan(400);
    expect(dice.lt(1).logicalOr(dice.gt(6)).any().item()).toBe(0);
    expect(Math.abs(bernoulli([100_000], 0.3, { device }).mean().item() - 0.3)).toBeLessThan(0.006);
    expect(bernoulli([1000], 0, { device }).sum().item()).toBe(0);
    expect(bernoulli([1000], 1, { device }).sum().item()).toBe(1000);
  });

  test("permutations name each position once", () => {
    manualSeed(3);
    const order = randperm(1000, { device });
    expect(order.sort().values.toArray()).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(order.toArray()).not.toEqual(randperm(1000, { device }).toArray());
    expect(Array.from(new Generator(7, 3).permutation(10))).toEqual([1, 8, 6, 7, 5, 2, 0, 4, 3, 9]);
    expect(randperm(0, { device }).shape).toEqual([0]);
  });

  test.each<DType>(["float32", "int32", "uint8"])("randint fits %s", (dtype) => {
    const x = randint(0, 200, [1000], { device, dtype });
    expect(x.dtype).toBe(dtype);
    expect(x.ge(200).any().item()).toBe(0);
  });
});

describe.each(otherDevices)("%s draws the bits js draws", (device) => {
  const before = threadCount();
  beforeEach(() => setThreadCount(before));
  afterEach(() => setThreadCount(before));

  test.each([1, 2])("with %i threads", (threads) => {
    setThreadCount(threads);
    for (const count of [1, 2, 3, 4, 5, 63, 4097, 100_003]) {
      const [here, there] = [draws(device, count), draws("js", count)];
      for (const [i, x] of here.entries()) expectSame(x.to("js"), there[i]);
    }
  });
});

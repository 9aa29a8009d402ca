import { describe, expect, it } from "vitest";
import {
  type Choices,
  denseView,
  expectSame,
  forSeeds,
  js,
  memoryOf,
  missing,
  native,
  randomView,
  twin,
} from "../../../test/native/oracle.ts";
import type { View } from "../backend.ts";
import { type DType, dtypes } from "../dtype.ts";
import { IndexError } from "../errors.ts";
import { setThreadCount } from "./native.ts";

const allDTypes = Object.keys(dtypes).filter((name): name is DType => name in dtypes);

interface Case {
  readonly axis: number;
  readonly indexed: readonly number[];
  readonly index: View;
}

/** An index of random shape into an axis of random size, often standing still along other axes. */
function randomCase(choices: Choices): Case | undefined {
  const shape = choices.shape();
  if (shape.length === 0) return undefined;
  const axis = choices.integer(0, shape.length - 1);
  const size = choices.integer(1, 12);
  const still = shape.map((_, i) => i !== axis && choices.chance(0.6));
  const own = shape.map((n, i) => (still[i] ? Math.min(n, 1) : n));
  const index = randomView(choices, own, "int32", () => choices.integer(0, size - 1));
  const strides = index.strides.map((stride, i) => (still[i] ? 0 : stride));
  return { axis, indexed: shape.map((n, i) => (i === axis ? size : n)), index: { ...index, shape, strides } };
}

describe.skipIf(missing !== undefined)("native gather and scatterAdd", () => {
  it("gather agrees with js", () => {
    forSeeds(300, (choices) => {
      const made = randomCase(choices);
      if (made === undefined) return;
      const { axis, indexed, index } = made;
      const dtype = choices.pick(allDTypes);
      const x = randomView(choices, indexed, dtype, () => choices.integer(0, 99));
      const out = denseView(choices, index.shape, dtype, () => 1);
      const expected = twin(out);
      js.gather("gather", x, index, axis, expected);
      native.gather("gather", x, index, axis, out);
      expectSame(out, expected);
    });
  });

  it("scatterAdd agrees with js to the bit, for any number of threads", () => {
    forSeeds(300, (choices) => {
      const made = randomCase(choices);
      if (made === undefined) return;
      const { axis, indexed, index } = made;
      const dtype = choices.pick(["float32", "float64", "int32", "uint8", "float16"] as const);
      const value = (): number => (dtype === "float32" ? choices.next() : choices.integer(0, 9));
      const source = randomView(choices, index.shape, dtype, value);
      const out = denseView(choices, indexed, dtype, value);
      const expected = twin(out);
      js.scatterAdd("scatterAdd", expected, index, axis, source);
      setThreadCount(choices.integer(1, 3));
      native.scatterAdd("scatterAdd", out, index, axis, source);
      expectSame(out, expected);
    });
    setThreadCount(2);
  });

  it("scatters many wide rows to the bit on two threads", () => {
    const shape = [3000, 200];
    const index: View = {
      storage: native.allocate(3000 * 4),
      shape,
      strides: [1, 0],
      offset: 0,
      dtype: "int32",
    };
    js.random("integers", { seed: 1, stream: 0, counter: 0 }, { ...index, shape: [3000], strides: [1] }, 0, 50);
    const source: View = {
      storage: native.allocate(3000 * 800),
      shape,
      strides: [200, 1],
      offset: 0,
      dtype: "float32",
    };
    js.random("normal", { seed: 2, stream: 0, counter: 0 }, source, 0, 1);
    const out: View = {
      storage: native.allocate(50 * 800),
      shape: [50, 200],
      strides: [200, 1],
      offset: 0,
      dtype: "float32",
    };
    out.storage.elements("float32").fill(0);
    const expected = twin(out);
    js.scatterAdd("scatterAdd", expected, index, 0, source);
    native.scatterAdd("scatterAdd", out, index, 0, source);
    expectSame(out, expected);
  });

  it.each([10, -1, 2 ** 31 - 1, -(2 ** 31)])("refuses index %d as js does, and writes nothing", (bad) => {
    const storage = native.allocate(4000);
    storage.elements("float32").fill(1);
    const x: View = { storage, shape: [10, 4], strides: [4, 1], offset: 0, dtype: "float32" };
    const index: View = { storage: native.allocate(64), shape: [3, 4], strides: [1, 0], offset: 0, dtype: "int32" };
    index.storage.elements("int32").set([3, bad, 5]);
    const out: View = { storage: native.allocate(64), shape: [3, 4], strides: [4, 1], offset: 0, dtype: "float32" };
    out.storage.elements("float32").fill(7);
    const message = `index ${bad} is out of range for axis 0 of size 10 (0 to 9).`;
    const gather = (): void => native.gather("gather", x, index, 0, out);
    expect(gather).toThrow(IndexError);
    expect(gather).toThrow(`gather: ${message}`);
    expect(memoryOf(out).slice(0, 12)).toEqual(new Array(12).fill(7));
    expect(() => native.scatterAdd("embedding", x, index, 0, out)).toThrow(`embedding: ${message}`);
    expect(memoryOf(x).slice(0, 40)).toEqual(new Array(40).fill(1));
  });
});

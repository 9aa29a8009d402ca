import { describe, expect, test } from "vitest";
import { devices } from "../../test/conformance/devices.ts";
import { ArgumentError, DTypeError, ShapeError } from "../backend/errors.ts";
import { empty, Generator, manualSeed, randn, type Tensor, zeros } from "../tensor/index.ts";
import * as nn from "./index.ts";

const { init } = nn;

/** Smallest, largest, mean and standard deviation. */
function statistics(x: Tensor): { low: number; high: number; mean: number; std: number } {
  return { low: x.amin().item(), high: x.amax().item(), mean: x.mean().item(), std: x.std().item() };
}

/** Uniform numbers fill ±bound up to a percent, and no more. */
function expectUniform(x: Tensor, bound: number): void {
  const { low, high, mean, std } = statistics(x);
  expect(high).toBeLessThanOrEqual(bound * 1.000001);
  expect(low).toBeGreaterThanOrEqual(-bound * 1.000001);
  expect(Math.min(high, -low)).toBeGreaterThan(bound * 0.97);
  expect(Math.abs(mean)).toBeLessThan(bound * 0.06);
  expect(std / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
}

function expectNormal(x: Tensor, std: number): void {
  const actual = statistics(x);
  expect(Math.abs(actual.mean)).toBeLessThan(std * 0.06);
  expect(actual.std / std).toBeGreaterThan(0.95);
  expect(actual.std / std).toBeLessThan(1.05);
  expect(actual.high).toBeGreaterThan(2.5 * std);
}

test("gains and fans of the notes", () => {
  expect(init.fanInAndFanOut(zeros([32, 1, 5, 5]))).toEqual({ fanIn: 25, fanOut: 800 });
  const gains = [1, 0, 0.01, 0.1, Math.sqrt(5)].map((a) => init.calculateGain("leakyRelu", a).toFixed(5));
  expect(gains).toEqual(["1.00000", "1.41421", "1.41414", "1.40720", "0.57735"]);
  const others = (["linear", "sigmoid", "tanh", "relu", "selu", "leakyRelu"] as const).map((n) =>
    init.calculateGain(n),
  );
  expect(others).toEqual([1, 1, 5 / 3, Math.SQRT2, 0.75, Math.sqrt(2 / (1 + 0.01 ** 2))]);
});

describe.each(devices)("on %s", (device) => {
  const weight = (): Tensor => empty([64, 20, 3, 3], { device });
  const [fanIn, fanOut] = [180, 576];

  test("kaiming and xavier have their bounds and deviations", () => {
    manualSeed(1);
    expectUniform(init.kaimingUniform_(weight()), Math.sqrt(6 / fanIn));
    expectUniform(init.kaimingUniform_(weight(), { a: Math.sqrt(5) }), 1 / Math.sqrt(fanIn));
    expectUniform(init.kaimingUniform_(weight(), { mode: "fanOut", nonlinearity: "linear" }), Math.sqrt(3 / fanOut));
    expectNormal(init.kaimingNormal_(weight()), Math.sqrt(2 / fanIn));
    expectNormal(init.kaimingNormal_(weight(), { nonlinearity: "tanh" }), 5 / 3 / Math.sqrt(fanIn));
    expectUniform(init.xavierUniform_(weight(), 2), 2 * Math.sqrt(6 / (fanIn + fanOut)));
    expectNormal(init.xavierNormal_(weight()), Math.sqrt(2 / (fanIn + fanOut)));
  });

  test("uniform, normal, constants", () => {
    expectUniform(init.uniform_(weight(), -3, 3), 3);
    expectNormal(init.normal_(weight(), 0, 0.02), 0.02);
    expect(init.constant_(empty([2], { device }), 3).toArray()).toEqual([3, 3]);
    expect(init.ones_(empty([1], { device })).item() - init.zeros_(empty([1], { device })).item()).toBe(1);
    const [a, b] = [new Generator(7), new Generator(7)].map((g) => init.normal_(weight(), 0, 1, g).toTypedArray());
    expect(a).toEqual(b);
  });

  test("truncated normal stays inside and keeps the shape of the distribution", () => {
    const x = statistics(init.truncNormal_(weight()));
    expect([x.low >= -2, x.high <= 2]).toEqual([true, true]);
    expect(x.std).toBeCloseTo(0.8796, 1); // of N(0, 1) cut at ±2
    const side = statistics(init.truncNormal_(weight(), 0, 1, 0.5, 3));
    expect([side.low >= 0.5, side.high <= 3]).toEqual([true, true]);
    expect(side.mean).toBeCloseTo((0.35207 - 0.00443) / (0.99865 - 0.69146), 1); // (φ(½) − φ(3)) / (Φ(3) − Φ(½))
    expect(statistics(init.truncNormal_(weight(), 5, 0.1, 0, 10)).mean).toBeCloseTo(5, 1);
  });
});

test("layers start as PyTorch's", () => {
  manualSeed(3);
  const linear = new nn.Linear(100, 400);
  expectUniform(linear.weight, 0.1);
  expectUniform(linear.bias ?? zeros([]), 0.1);
  const conv = new nn.Conv2d(16, 256, 3, { groups: 4 });
  expectUniform(conv.weight, 1 / 6);
  expectUniform(conv.bias ?? zeros([]), 1 / 6);
  expectUniform(new nn.ConvTranspose2d(64, 32, 3).weight, 1 / Math.sqrt(32 * 9)); // fans as of [in, out, …], as PyTorch's
  expectNormal(new nn.Embedding(500, 20).weight, 1);
  const table = new nn.Embedding(5, 3, { paddingIndex: 2 });
  expect(table.weight.select(0, 2).toArray()).toEqual([0, 0, 0]);
  const attention = new nn.MultiheadAttention(32, 4);
  expectUniform(attention.inProjWeight, Math.sqrt(6 / (32 + 96)));
  expect(attention.inProjBias?.abs().sum().item()).toBe(0);
  expect(attention.outProj.bias?.abs().sum().item()).toBe(0);
  const norm = new nn.BatchNorm2d(3);
  expect(norm.weight?.toArray()).toEqual([1, 1, 1]);
  expect(norm.runningVar?.toArray()).toEqual([1, 1, 1]);
});

test("the √5 study's figures: deviations of a first convolution and of what it gives", () => {
  manualSeed(5);
  const x = randn([100, 1, 28, 28]);
  const layer = new nn.Conv2d(1, 32, 5);
  expect(layer.weight.std().item()).toBeCloseTo(Math.sqrt(1 / 3) / 5, 1);
  init.kaimingNormal_(layer.weight, { a: 1 });
  if (layer.bias !== undefined) init.zeros_(layer.bias);
  const std = layer.forward(x).std().item();
  expect(std).toBeGreaterThan(0.9);
  expect(std).toBeLessThan(1.1);
  init.kaimingNormal_(layer.weight, { a: 0 });
  const after = layer.forward(x).relu().square().mean().item();
  expect(after).toBeGreaterThan(0.8);
  expect(after).toBeLessThan(1.2);
});

test("bad input is refused with its values", () => {
  const x = zeros([2, 2]);
  const refusals: [() => unknown, new (...args: never[]) => Error, ...string[]][] = [
    [() => init.kaimingUniform_(zeros([3])), ShapeError, "[3]"],
    [() => init.xavierNormal_(zeros([])), ShapeError, "[]"],
    [() => init.kaimingNormal_(zeros([3, 0])), ArgumentError, "[3,0]"],
    [() => init.xavierUniform_(zeros([0, 0])), ArgumentError, "[0,0]"],
    [() => init.kaimingNormal_(x, { mode: JSON.parse('"fan_in"') }), ArgumentError, "fan_in", "fanIn"],
    [() => init.kaimingNormal_(x, { nonlinearity: JSON.parse('"swish"') }), ArgumentError, "swish", "leakyRelu"],
    [() => init.kaimingNormal_(x, { a: Number.NaN }), ArgumentError, "NaN"],
    [() => init.xavierNormal_(x, -1), ArgumentError, "-1"],
    [() => init.uniform_(x, 1, 0), ArgumentError, "1", "0"],
    [() => init.uniform_(x, 0, Number.POSITIVE_INFINITY), ArgumentError, "Infinity"],
    [() => init.normal_(x, 0, -1), ArgumentError, "-1"],
    [() => init.normal_(x, Number.NaN), ArgumentError, "NaN"],
    [() => init.normal_(zeros([2], { dtype: "int32" })), DTypeError, "int32"],
    [() => init.uniform_(zeros([2], { dtype: "bool" })), DTypeError, "bool"],
    [() => init.truncNormal_(x, 0, 1, 2, -2), ArgumentError, "2", "-2"],
    [() => init.truncNormal_(x, 0, 1, 5, 6), ArgumentError, "5 to 6"],
    [() => init.truncNormal_(x, 0, -1), ArgumentError, "-1"],
  ];
  for (const [call, kind, ...words] of refusals) {
    expect(call, String(call)).toThrow(kind);
    for (const word of words) expect(call, String(call)).toThrow(word);
  }
  expect(x.toArray()).toEqual([
    [0, 0],
    [0, 0],
  ]);
});

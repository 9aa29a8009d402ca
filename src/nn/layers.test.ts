import { describe, expect, test } from "vitest";
import { expectClose } from "../../test/close.ts";
import { devices } from "../../test/conformance/devices.ts";
import { ArgumentError, DTypeError, IndexError, KindlingError, ShapeError } from "../backend/errors.ts";
import { manualSeed, noGrad, ones, randn, type Tensor, tensor, zeros } from "../tensor/index.ts";
import * as F from "./functional.ts";
import * as nn from "./index.ts";

const count = (model: nn.AnyModule): number => model.parameters().reduce((sum, p) => sum + p.numel(), 0);

describe("models of the courses have their numbers of parameters", () => {
  const head = (inputs: number): nn.Layer[] => [
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(inputs, 10, { bias: false }),
    new nn.BatchNorm1d(10),
  ];
  const stages = (sizes: readonly number[], bias: boolean): nn.Layer[] =>
    sizes.slice(1).map((size, i) => new nn.ResBlock(sizes[i], size, { stride: 2, bias }));

  test("the multi-layer net of 784, 50, 10", () => {
    const model = new nn.Sequential(new nn.Linear(784, 50), new nn.ReLU(), new nn.Linear(50, 10));
    expect(count(model)).toBe(39_760);
    expect(model.parameters().map((p) => String(p.shape))).toEqual(["50,784", "50", "10,50", "10"]);
  });

  test.each([
    ["E", [1, 8, 16, 32, 32], 15_594],
    ["F, without normalisation", [1, 8, 16, 32, 64, 64], 62_090],
  ])("the convolutional net of experiment %s", (_, sizes, expected) => {
    const block = (i: number): nn.Layer =>
      nn.convBlock(sizes[i], sizes[i + 1], { kernelSize: i === 0 ? 5 : 3, norm: null });
    const blocks = sizes.slice(1).map((_size, i) => block(i));
    const last = sizes[sizes.length - 1];
    const model = new nn.Sequential(...blocks, new nn.AdaptiveAvgPool2d(1), new nn.Flatten(), new nn.Linear(last, 10));
    expect(count(model)).toBe(expected);
    expect(model.forward(zeros([2, 1, 28, 28])).shape).toEqual([2, 10]);
  });

  test.each([
    [false, 1_227_900],
    [true, 1_228_908],
  ])("miniai's ResNet, redundant biases %s, and its activations", (bias, expected) => {
    const sizes = [8, 16, 32, 64, 128, 256];
    const model = new nn.Sequential(
      new nn.ResBlock(1, 8, { bias }),
      ...stages(sizes, bias),
      new nn.Flatten(),
      new nn.Linear(256, 10, { bias: false }),
      new nn.BatchNorm1d(10),
    );
    expect(count(model)).toBe(expected);
    const shapes: string[] = [];
    const hooks = new nn.Hooks(model.children(), (_, __, y) => {
      if (typeof y === "object" && y !== null && "shape" in y) shapes.push(String(y.shape));
    });
    hooks.use(() => noGrad(() => model.forward(zeros([4, 1, 28, 28]))));
    expect(shapes.slice(0, 8)).toEqual([
      "4,8,28,28",
      "4,16,14,14",
      "4,32,7,7",
      "4,64,4,4",
      "4,128,2,2",
      "4,256,1,1",
      "4,256",
      "4,10",
    ]);
  });

  test("miniai's models 2, 3 and 4, with the redundant biases and without", () => {
    const sizes = [16, 32, 64, 128, 256];
    for (const [bias, expected] of [
      [true, [4_907_588, 1_231_428, 1_224_948]],
      [false, [4_907_588 - 2016, 1_231_428 - 992, 1_224_948 - 976]],
    ] as const) {
      const first = new nn.ResBlock(1, 16, { kernelSize: 5, bias });
      const models = [
        new nn.Sequential(first, ...stages(sizes, bias), new nn.ResBlock(256, 512, { bias }), ...head(512)),
        new nn.Sequential(first, ...stages(sizes, bias), ...head(256)),
        new nn.Sequential(
          nn.convBlock(1, 16, { kernelSize: 5, stride: 1, bias }),
          ...stages(sizes, bias),
          ...head(256),
        ),
      ];
      expect(models.map(count)).toEqual(expected);
    }
  });
});

describe.each(devices)("dropout on %s", (device) => {
  test("drops its share, scales the rest, and lets gradients through what is left", () => {
    manualSeed(7);
    const x = ones([20_000], { device, requiresGrad: true });
    const layer = new nn.Dropout(0.3);
    const y = layer.forward(x);
    const kept = y.ne(0).sum().item() / 20_000;
    expect(Math.abs(kept - 0.7)).toBeLessThan(0.015);
    expectClose(y.amax(), [1 / 0.7]);
    y.sum().backward();
    expectClose(x.grad ?? zeros([]), y.detach());
    expect(layer.eval().forward(x)).toBe(x);
    expect(new nn.Dropout(0).forward(x)).toBe(x);
    expect(new nn.Dropout(1).forward(x).abs().sum().item()).toBe(0);
    expect(layer.train().forward(x).sub(layer.forward(x)).abs().sum().item()).toBeGreaterThan(0);
  });

  test("1d and 2d drop whole channels", () => {
    for (const [layer, shape] of [
      [new nn.Dropout1d(0.5), [200, 10, 3]],
      [new nn.Dropout2d(0.5), [200, 10, 2, 2]],
    ] as const) {
      const y = layer.forward(ones(shape, { device })).flatten(2);
      expectClose(y.amin(2), y.amax(2));
      expect(Math.abs(y.mean().item() - 1)).toBeLessThan(0.1);
    }
  });
});

test("running batch norm uses its running statistics, bounded while young", () => {
  const layer = new nn.RunningBatchNorm(2);
  const x = randn([64, 2, 5, 5]).mul(3).add(5);
  const y = layer.forward(x);
  expectClose(y.mean([0, 2, 3]), [0, 0], { atol: 1e-3 });
  expectClose(y.var([0, 2, 3], { correction: 0 }), [1, 1], { rtol: 1e-3 });
  const inUse = layer.eval().forward(x.mul(2));
  expect(Math.abs(inUse.mean().item())).toBeGreaterThan(1);
  const young = new nn.RunningBatchNorm(1).forward(zeros([1, 1, 2, 2]));
  expect(young.isFinite().all().item()).toBe(1);
});

test("the layers that rearrange", () => {
  expect(new nn.Flatten(0, 1).forward(zeros([2, 3, 4])).shape).toEqual([6, 4]);
  expect(new nn.Unflatten(1, [3, -1]).forward(zeros([2, 12])).shape).toEqual([2, 3, 4]);
  const images = new nn.Lambda(function toImages(x) {
    return x.reshape([-1, 1, 2, 2]);
  });
  expect(images.forward(zeros([3, 4])).shape).toEqual([3, 1, 2, 2]);
  expect(`${images}`).toBe("Lambda(toImages)");
  expectClose(nn.sinusoidalEmbedding(tensor([0, 1]), 4), [
    0,
    0,
    1,
    1,
    Math.sin(1),
    Math.sin(0.01),
    Math.cos(1),
    Math.cos(0.01),
  ]);
  const places = new nn.PositionalEmbedding(4, 3);
  expectClose(places.forward(zeros([1, 2, 3])), places.weight.slice(0, 0, 2));
});

test("gradients of large inputs stay finite", () => {
  for (const layer of [new nn.ELU(), new nn.LogSigmoid(), new nn.Softplus(3), new nn.Hardtanh(), new nn.PReLU()]) {
    const x = tensor([-1e4, -100, 0, 100, 1e4], { requiresGrad: true });
    const y = layer.forward(x);
    y.sum().backward();
    expect(y.isFinite().all().item()).toBe(1);
    expect(x.grad?.isFinite().all().item()).toBe(1);
  }
});

test("one-hot rows and embeddings", () => {
  const classes = tensor([1, 0], { dtype: "int32" });
  expect(F.oneHot(classes, 3).toArray()).toEqual([
    [0, 1, 0],
    [1, 0, 0],
  ]);
  expect(F.oneHot(classes).shape).toEqual([2, 2]);
});

describe("bad input is refused with both values:", () => {
  const x = zeros([2, 3, 4, 4]);
  const int = (data: number[]): Tensor => tensor(data, { dtype: "int32" });
  type Refusal = readonly [() => unknown, new (...args: never[]) => KindlingError, ...string[]];
  const refusals: Record<string, Refusal> = {
    "Linear of -1": [() => new nn.Linear(-1, 2), ArgumentError, "inFeatures", "-1"],
    "Linear of 1.5": [() => new nn.Linear(1, 1.5), ArgumentError, "outFeatures", "1.5"],
    "Linear of other features": [() => new nn.Linear(4, 2).forward(zeros([2, 3])), ShapeError, "3 ≠ 4"],
    "Linear of integers": [() => new nn.Linear(1, 2).forward(int([1])), DTypeError, "int32"],
    "integer weights": [() => new nn.Linear(2, 2, { dtype: "int32" }), DTypeError, "int32"],
    "Embedding of NaN": [() => new nn.Embedding(Number.NaN, 2), ArgumentError, "NaN"],
    "paddingIndex beyond": [() => new nn.Embedding(3, 2, { paddingIndex: 3 }), ArgumentError, "3", "0 to 2"],
    "paddingIndex of 0.5": [() => new nn.Embedding(3, 2, { paddingIndex: 0.5 }), ArgumentError, "0.5"],
    "index beyond the table": [() => new nn.Embedding(3, 2).forward(int([3])), IndexError, "3"],
    "index of floats": [() => new nn.Embedding(3, 2).forward(zeros([1])), DTypeError, "float32"],
    "oneHot of floats": [() => F.oneHot(zeros([1])), DTypeError, "float32"],
    "oneHot beyond": [() => F.oneHot(int([3]), 3), IndexError, "3", "0 to 2"],
    "oneHot of 1.5 classes": [() => F.oneHot(int([0]), 1.5), ArgumentError, "1.5"],
    "Conv2d of 0 channels": [() => new nn.Conv2d(0, 1, 3), ArgumentError, "Conv2d", "inChannels", "0"],
    "Conv2d of groups": [() => new nn.Conv2d(3, 4, 3, { groups: 2 }), ArgumentError, "2 groups", "3", "4"],
    "Conv2d of three sizes": [() => new nn.Conv2d(3, 4, [3, 3, 3]), ArgumentError, "[3,3,3]", "2"],
    "Conv1d of kernel 0": [() => new nn.Conv1d(3, 4, 0), ArgumentError, "Conv1d", "0"],
    "Conv2d of other channels": [() => new nn.Conv2d(4, 2, 3).forward(x), ShapeError, "3", "4"],
    "Conv2d of too small": [() => new nn.Conv2d(3, 2, 5).forward(x), ShapeError, "4", "5"],
    "ConvTranspose2d of stride 0": [
      () => new nn.ConvTranspose2d(3, 2, 2, { stride: 0 }).forward(x),
      ArgumentError,
      "stride",
      "0",
    ],
    "BatchNorm2d of other channels": [() => new nn.BatchNorm2d(4).forward(x), ShapeError, "3 channels", "4"],
    "BatchNorm2d without affine": [
      () => new nn.BatchNorm2d(4, { affine: false, trackRunningStats: false }).forward(x),
      ShapeError,
      "3 channels",
    ],
    "BatchNorm1d of images": [() => new nn.BatchNorm1d(3).forward(x), ShapeError, "BatchNorm1d", "4 axes"],
    "BatchNorm1d of one sample": [() => new nn.BatchNorm1d(3).forward(zeros([1, 3])), ShapeError, "[1,3]"],
    "BatchNorm2d of momentum 2": [() => new nn.BatchNorm2d(3, { momentum: 2 }), ArgumentError, "momentum", "2"],
    "BatchNorm2d of eps -1": [() => new nn.BatchNorm2d(3, { eps: -1 }), ArgumentError, "eps", "-1"],
    "InstanceNorm1d of images": [() => new nn.InstanceNorm1d(3).forward(x), ShapeError, "InstanceNorm1d", "4 axes"],
    "LayerNorm of nothing": [() => new nn.LayerNorm([]), ArgumentError, "[]"],
    "LayerNorm of 1.5": [() => new nn.LayerNorm(1.5), ArgumentError, "1.5"],
    "LayerNorm of others": [() => new nn.LayerNorm(3).forward(x), ShapeError, "[3]"],
    "GroupNorm of groups": [() => new nn.GroupNorm(2, 3), ArgumentError, "2 groups", "3"],
    "GroupNorm of others": [() => new nn.GroupNorm(2, 4).forward(x), ShapeError, "4"],
    "RunningBatchNorm of features": [() => new nn.RunningBatchNorm(3).forward(zeros([2, 3])), ShapeError, "2 axes"],
    "RunningBatchNorm of others": [() => new nn.RunningBatchNorm(2).forward(x), ShapeError, "3 channels", "2"],
    "MaxPool2d of 0": [() => new nn.MaxPool2d(0).forward(x), ArgumentError, "0"],
    "AvgPool2d of too small": [() => new nn.AvgPool2d(5).forward(x), ShapeError, "4", "5"],
    "AdaptiveAvgPool2d of 0": [() => new nn.AdaptiveAvgPool2d(0).forward(x), KindlingError, "0"],
    "Upsample of nothing": [() => new nn.Upsample({}).forward(x), ArgumentError, "size"],
    "Dropout of 2": [() => new nn.Dropout(2), ArgumentError, "p", "2"],
    "Dropout of NaN": [() => new nn.Dropout(Number.NaN), ArgumentError, "NaN"],
    "Dropout2d of features": [() => new nn.Dropout2d().forward(zeros([2, 3])), ShapeError, "2 axes", "4"],
    "heads that do not divide": [() => new nn.MultiheadAttention(6, 4), ArgumentError, "4", "6"],
    "queries of another size": [
      () => new nn.MultiheadAttention(4, 2).forward(zeros([1, 2, 3]), zeros([1, 2, 4]), zeros([1, 2, 4])),
      ShapeError,
      "[1,2,3]",
      "4",
    ],
    "keys of other samples": [
      () => new nn.MultiheadAttention(4, 2).forward(zeros([1, 2, 4]), zeros([2, 2, 4]), zeros([2, 2, 4])),
      ShapeError,
      "[1,2,4]",
      "[2,2,4]",
    ],
    "SelfAttention2d of other channels": [() => new nn.SelfAttention2d(4).forward(x), ShapeError, "3 channels"],
    "an odd sinusoidal size": [() => nn.sinusoidalEmbedding(zeros([2]), 3), ArgumentError, "3"],
    "positions of two axes": [() => nn.sinusoidalEmbedding(zeros([2, 2]), 4), ShapeError, "[2,2]"],
    "a sequence too long": [
      () => new nn.PositionalEmbedding(2, 3).forward(zeros([1, 3, 3])),
      ShapeError,
      "[1,3,3]",
      "2",
    ],
    "an even ResBlock kernel": [() => new nn.ResBlock(1, 2, { kernelSize: 4 }), ArgumentError, "4"],
    "a ResBlock of stride 0": [() => new nn.ResBlock(1, 2, { stride: 0 }), ArgumentError, "0"],
    "Softmax beyond": [() => new nn.Softmax(4).forward(x), IndexError, "4"],
    "Unflatten that does not fit": [() => new nn.Unflatten(1, [2, 2]).forward(x), ShapeError, "3"],
    "Hardtanh the wrong way": [() => new nn.Hardtanh(1, -1), ArgumentError, "1", "-1"],
    "Softplus of 0": [() => new nn.Softplus(0), ArgumentError, "0"],
    "PReLU of other channels": [() => new nn.PReLU(2).forward(x), ShapeError, "[2]", "[2,3,4,4]"],
    "Lambda of a number": [() => new nn.Lambda(JSON.parse("3")), ArgumentError, "number"],
    "a Parameter of integers": [() => new nn.Parameter(int([1])), DTypeError, "int32"],
  };

  test.each(Object.entries(refusals))("%s", (_, [call, kind, ...words]) => {
    expect(call).toThrow(kind);
    for (const word of words) expect(call).toThrow(word);
  });
});

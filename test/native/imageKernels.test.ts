import { describe, expect, test } from "vitest";
import type { View } from "../../src/backend/backend.ts";
import { setThreadCount } from "../../src/backend/native/native.ts";
import { channelsLastStrides, contiguousStrides, type Shape, sizeOf } from "../../src/backend/shape.ts";
import { conv1d, conv2d, conv3d, convTranspose2d } from "../../src/tensor/conv.ts";
import { ones, type Tensor, tensor, zeros } from "../../src/tensor/index.ts";
import { type AffineOptions, batchNorm, groupNorm, instanceNorm, layerNorm } from "../../src/tensor/norm.ts";
import { avgPool2d, maxPool2d, maxPool3d } from "../../src/tensor/pool.ts";
import { expectClose } from "../close.ts";
import { type Choices, forSeeds, missing, native } from "./oracle.ts";

/** A shape and its numbers, to be put on two devices. */
interface Numbers {
  readonly shape: Shape;
  readonly values: Float64Array;
}

function numbers(choices: Choices, shape: Shape): Numbers {
  return { shape, values: Float64Array.from({ length: sizeOf(shape) }, () => Math.fround(choices.next() * 2 - 1)) };
}

/** A function that puts images of so many spatial axes in one of the two memory orders. */
function inOrder(choices: Choices, axes: number): (x: Tensor) => Tensor {
  const memoryFormat = axes > 0 && choices.chance(0.5) ? "channelsLast" : "contiguous";
  return (x) => x.contiguous({ memoryFormat });
}

/** Runs a function with its gradients on the native device and by the definitions on js in float64, and compares. */
function compare(
  choices: Choices,
  inputs: readonly Numbers[],
  run: (x: readonly Tensor[]) => Tensor,
  closeness = 2e-5,
): void {
  const weights = choices.integer(1, 1000);
  const results = (["native", "js"] as const).map((device) => {
    const dtype = device === "js" ? "float64" : "float32";
    const leaves = inputs.map(({ shape, values }) => tensor(values, { shape, dtype, device, requiresGrad: true }));
    const y = run(leaves);
    const w = Float64Array.from({ length: y.numel() }, (_, i) => Math.fround(Math.sin(i * 1.7 + weights)));
    y.mul(tensor(w, { shape: y.shape, dtype, device }))
      .sum()
      .backward();
    return [y, ...leaves.map((x) => x.grad ?? x)];
  });
  results[0].forEach((actual, i) => {
    const expected = results[1][i];
    const size = Math.max(1, expected.abs().amax().item());
    expect(actual.shape).toEqual(expected.shape);
    expectClose(actual, expected, { rtol: 1e-4, atol: closeness * size });
  });
}

describe.skipIf(missing !== undefined)("the image kernels of the addon agree with their definitions:", () => {
  test("convolution", () => {
    forSeeds(60, (choices) => {
      const axes = choices.pick([1, 2, 2, 2, 3]);
      const groups = choices.pick([1, 1, 1, 2, 3]);
      const [c, m] = [groups * choices.pick([1, 2, 3, 8, 17]), groups * choices.pick([1, 4, 5, 16, 33])];
      const each = (low: number, high: number): number[] =>
        Array.from({ length: axes }, () => choices.integer(low, high));
      const [kernel, stride, dilation] = [each(1, 3), each(1, 3), each(1, 2)];
      const size = kernel.map((k, i) => choices.integer(dilation[i] * (k - 1) + 1, dilation[i] * (k - 1) + 9));
      const padding = each(0, 2).map((pad) => [pad, choices.integer(0, 2)] as const);
      const options = { stride, dilation, padding, groups };
      const inputs = [
        numbers(choices, [choices.integer(1, 3), c, ...size]),
        numbers(choices, [m, c / groups, ...kernel]),
      ];
      if (choices.chance(0.5)) inputs.push(numbers(choices, [m]));
      compare(choices, inputs, ([x, w, b]) => [conv1d, conv2d, conv3d][axes - 1](x, w, b, options));
    });
  });

  test("convolution with many channels and 3×3 kernels", () => {
    forSeeds(12, (choices) => {
      const [n, c, m] = [choices.pick([1, 4, 66]), choices.pick([32, 48, 80]), choices.pick([32, 64, 112])];
      const size = n === 66 ? [4, 4] : [choices.integer(8, 19), choices.integer(8, 19)];
      const padding = [choices.integer(0, 2), choices.integer(0, 2)].map(
        (before) => [before, choices.integer(0, 2)] as const,
      );
      const inputs = [numbers(choices, [n, c, ...size]), numbers(choices, [m, c, 3, 3])];
      if (choices.chance(0.5)) inputs.push(numbers(choices, [m]));
      compare(choices, inputs, ([x, w, b]) => conv2d(x, w, b, { padding }), 5e-5);
    });
  });

  test("convolution with many channels and 3×3 kernels at stride 2", () => {
    forSeeds(16, (choices) => {
      const [c, m] = choices.pick([
        [32, 64],
        [80, 32],
        [48, 48],
      ]);
      const [n, low] = choices.pick([
        [17, 7],
        [5, 15],
      ]);
      const places = [1, 2].map(() => choices.integer(low, low + 1)); // last tiles are full, or but for one row
      const padding = [choices.integer(0, 2), choices.integer(0, 2)].map(
        (before) => [before, choices.integer(0, 2)] as const,
      );
      const size = places.map((count, i) => 2 * count + choices.integer(1, 2) - padding[i][0] - padding[i][1]);
      const inputs = [numbers(choices, [n, c, ...size]), numbers(choices, [m, c, 3, 3])];
      if (choices.chance(0.5)) inputs.push(numbers(choices, [m]));
      compare(choices, inputs, ([x, w, b]) => conv2d(x, w, b, { padding, stride: 2 }), 5e-5);
    });
  });

  test("depthwise convolution", () => {
    forSeeds(20, (choices) => {
      const c = choices.pick([16, 32, 80]);
      const padding = [1, 2].map(() => [choices.integer(0, 2), choices.integer(0, 3)] as const);
      const size = padding.map(([before, after]) => choices.integer(Math.max(1, 3 - before - after), 9));
      const inputs = [numbers(choices, [choices.integer(1, 4), c, ...size]), numbers(choices, [c, 1, 3, 3])];
      if (choices.chance(0.5)) inputs.push(numbers(choices, [c]));
      compare(choices, inputs, ([x, w, b]) => conv2d(x, w, b, { padding, groups: c }));
    });
  });

  test("convolution of small maps", () => {
    forSeeds(16, (choices) => {
      const [n, c, m] = [choices.pick([8, 11, 16]), choices.pick([32, 48, 64]), choices.pick([32, 48, 80])];
      const kernel = [choices.integer(1, 5), choices.integer(2, 5)];
      const stride = [choices.integer(1, 2), choices.integer(1, 3)];
      const size = kernel.map((k) => choices.integer(Math.max(1, k - 1), 6));
      const padding = kernel.map((k) => [choices.integer(1, k), choices.integer(0, 1)] as const);
      const inputs = [numbers(choices, [n, c, ...size]), numbers(choices, [m, c, ...kernel])];
      if (choices.chance(0.5)) inputs.push(numbers(choices, [m]));
      compare(choices, inputs, ([x, w, b]) => conv2d(x, w, b, { padding, stride }), 5e-5);
    });
  });

  test("convolution of few channels", () => {
    forSeeds(24, (choices) => {
      const isWide = choices.chance(0.4); // the gradient for the weights asks for wide rows, the forward direction for narrow ones
      const c = choices.integer(1, 8);
      const m = isWide ? choices.pick([32, 40, 67]) : choices.integer(1, 16);
      const kernel = [choices.integer(1, isWide ? 3 : 7), choices.integer(2, isWide ? 3 : 7)];
      const stride = [choices.integer(1, 3), choices.integer(1, 3)];
      const padding = kernel.map((k) => [choices.integer(0, k - 1), choices.integer(0, 2)] as const);
      const places = isWide
        ? [choices.integer(1, 5), choices.integer(32, 40)]
        : [1, 2].map(() => choices.integer(1, 20));
      const size = kernel.map((k, i) =>
        Math.max(
          1,
          (places[i] - 1) * stride[i] + k - padding[i][0] - padding[i][1] + choices.integer(0, stride[i] - 1),
        ),
      );
      const n = isWide ? choices.integer(4, 5) : choices.integer(1, 5);
      const inputs = [numbers(choices, [n, c, ...size]), numbers(choices, [m, c, ...kernel])];
      if (choices.chance(0.5)) inputs.push(numbers(choices, [m]));
      compare(choices, inputs, ([x, w, b]) => conv2d(x, w, b, { padding, stride }), 5e-5);
    });
  });

  test("convolution of few channels in images that are worked on in bands of rows", () => {
    forSeeds(4, (choices) => {
      const kernel = [choices.integer(2, 5), 3];
      const stride = [choices.integer(1, 6), 3];
      const height = stride[0] * choices.integer(70, 80) + choices.integer(0, 3);
      const inputs = [numbers(choices, [2, 7, height, 130]), numbers(choices, [33, 7, ...kernel])];
      compare(choices, inputs, ([x, w]) => conv2d(x, w, undefined, { padding: [1, 0], stride }), 5e-5);
    });
  });

  test("transposed convolution", () => {
    forSeeds(20, (choices) => {
      const [c, m, k, stride] = [
        choices.pick([1, 3, 16]),
        choices.pick([1, 2, 17]),
        choices.integer(1, 4),
        choices.integer(1, 3),
      ];
      const options = {
        stride,
        padding: choices.integer(0, Math.floor(k / 2)),
        outputPadding: choices.integer(0, stride - 1),
      };
      const inputs = [numbers(choices, [2, c, 4, 5]), numbers(choices, [c, m, k, k])];
      compare(choices, inputs, ([x, w]) => convTranspose2d(x, w, undefined, options));
    });
  });

  test("pooling", () => {
    forSeeds(60, (choices) => {
      const kernel = [choices.integer(1, 4), choices.integer(1, 3)];
      const stride = [choices.integer(1, 3), choices.integer(1, 3)];
      const padding = kernel.map((k) => choices.integer(0, Math.floor(k / 2)));
      const ceilMode = choices.chance(0.5);
      const x = numbers(choices, [
        choices.integer(1, 3),
        choices.pick([1, 3, 16, 21]),
        choices.integer(4, 12),
        choices.integer(4, 9),
      ]);
      compare(choices, [x], ([a]) => maxPool2d(a, kernel, { stride, padding, ceilMode }));
      const countIncludePad = choices.chance(0.5);
      compare(choices, [x], ([a]) => avgPool2d(a, kernel, { stride, padding, ceilMode, countIncludePad }));
      const volume = numbers(choices, [1, 2, 4, 5, choices.integer(3, 6)]);
      compare(choices, [volume], ([a]) => maxPool3d(a, [2, 3, 2], { stride: [1, 2, 2], padding: [0, 1, 1] }));
    });
  });

  test("batch norm and layer norm, rows and columns in any number", () => {
    forSeeds(60, (choices) => {
      const [n, c] = [choices.pick([2, 3, 7, 65]), choices.pick([1, 2, 3, 5, 8, 31, 64, 100, 513])];
      const shape = choices.chance(0.3) ? [n, c] : [n, c, choices.integer(1, 9), choices.integer(1, 9)];
      const rectifier = choices.pick([undefined, { leak: 0, sub: 0 }, { leak: 0.1, sub: 0.4 }]);
      const inputs = [numbers(choices, shape), numbers(choices, [c]), numbers(choices, [c])];
      compare(choices, inputs, ([x, weight, bias]) => batchNorm(x, { weight, bias, training: true, rectifier }));
      const rows = numbers(choices, [n, choices.integer(1, 4), c + 3]);
      const affine = [numbers(choices, [c + 3]), numbers(choices, [c + 3])];
      compare(choices, [rows, ...affine], ([x, weight, bias]) => layerNorm(x, [c + 3], { weight, bias }));
    });
  });

  test("group and instance norm in both memory orders", () => {
    forSeeds(80, (choices) => {
      const c = choices.pick([1, 2, 3, 6, 8, 17, 30, 64, 100]);
      const groups = choices.pick([1, c, ...[2, 3, 4, 10].filter((count) => c % count === 0)]);
      const axes = choices.pick([0, 1, 2, 2, 2, 3]);
      const spatial = Array.from({ length: axes }, () => choices.integer(1, 7));
      const shape = [choices.pick([1, 2, 3, 9, 33]), c, ...spatial];
      const ordered = inOrder(choices, axes);
      const affine = choices.pick([[], [numbers(choices, [c])], [numbers(choices, [c]), numbers(choices, [c])]]);
      const inputs = [numbers(choices, shape), ...affine];
      compare(choices, inputs, ([x, weight, bias]) => groupNorm(ordered(x), groups, { weight, bias, eps: 0.1 }));
      if (sizeOf(spatial) < 2 || axes === 0) return;
      compare(choices, inputs, ([x, weight, bias]) => instanceNorm(ordered(x), { weight, bias, eps: 0.1 }));
      compare(choices, inputs, ([x, bias]) => instanceNorm(ordered(x), { bias, eps: 0.1 }));
    });
  });

  test("group and instance norm of few big samples, which are cut into pieces", () => {
    forSeeds(6, (choices) => {
      const [n, c] = [choices.integer(1, 2), choices.pick([6, 48])];
      const size = Math.ceil(Math.sqrt(140_000 / c));
      const ordered = inOrder(choices, 2);
      const inputs = [numbers(choices, [n, c, size, size + 1]), numbers(choices, [c]), numbers(choices, [c])];
      const groups = choices.pick([1, 3, c]);
      compare(choices, inputs, ([x, weight, bias]) => groupNorm(ordered(x), groups, { weight, bias }), 5e-4);
    });
  });

  test("instance norm's running statistics are those of the definition", () => {
    forSeeds(10, (choices) => {
      const shape = [choices.integer(1, 3), choices.pick([1, 3, 16]), choices.integer(2, 5), 3];
      const { values } = numbers(choices, shape);
      const ordered = inOrder(choices, 2);
      const [ours, expected] = (["native", "js"] as const).map((device) => {
        const runningMean = zeros([shape[1]], { device });
        const runningVar = ones([shape[1]], { device });
        instanceNorm(ordered(tensor(values, { shape, device, dtype: "float32" })), { runningMean, runningVar });
        return [runningMean, runningVar];
      });
      ours.forEach((running, i) => {
        expectClose(running, expected[i], { rtol: 1e-5, atol: 1e-6 });
      });
    });
  });

  test("a large mean does not swallow the variance of a group", () => {
    forSeeds(4, (choices) => {
      const { shape, values } = numbers(choices, [2, 6, 20, 21]);
      const x = inOrder(choices, 2)(tensor(values, { shape, device: "native", dtype: "float32" }).add(1000));
      const y = groupNorm(x, 3).reshape([2, 3, 840]);
      expectClose(y.mean(2), zeros([2, 3]), { atol: 1e-3 });
      expectClose(y.var(2, { correction: 0 }), ones([2, 3]), { rtol: 1e-3 });
    });
  });

  test("weights and biases with gaps between their elements", () => {
    const pairs = tensor([2, 7, -1, 5, 4, 3], { shape: [3, 2], device: "native" });
    const [weight, bias] = [pairs.select(1, 0), pairs.select(1, 1)];
    const dense = { weight: weight.clone(), bias: bias.clone() };
    const x = tensor([1, 5, 2, -3, 0, 4, 2, 2, 9, 1, 1, 6], { shape: [2, 3, 2], device: "native" });
    const runs: readonly ((affine: AffineOptions) => Tensor)[] = [
      (affine) => batchNorm(x, { ...affine, training: true }),
      (affine) => instanceNorm(x, affine),
      (affine) => groupNorm(x, 1, affine),
      (affine) => layerNorm(x.select(2, 0), [3], affine),
    ];
    for (const run of runs) expectClose(run({ weight, bias }), run(dense), { rtol: 1e-6, atol: 1e-6 });
  });

  test.each([
    ["batch norm", [32, 24, 40, 40], (x: Tensor) => batchNorm(x, { training: true })],
    ["group norm", [32, 24, 40, 40], (x: Tensor) => groupNorm(x, 4)],
    ["group norm of one sample", [1, 24, 100, 100], (x: Tensor) => groupNorm(x, 4)],
    ["layer norm", [500, 700], (x: Tensor) => layerNorm(x, [700])],
  ] as const)("%s gives the same bits on one and two threads", (_, shape, norm) => {
    forSeeds(2, (choices) => {
      const { values } = numbers(choices, shape);
      const images = (): Tensor => tensor(values, { shape, device: "native", requiresGrad: true });
      const bits = [1, 2].map((threads) => {
        setThreadCount(threads);
        const x = images();
        const y = norm(x);
        y.square().mul(y).sum().backward();
        return [y, x.grad ?? x].map((t) => Array.from(t.toTypedArray().slice(0, 5000)));
      });
      expect(bits[0]).toEqual(bits[1]);
    });
  });
});

describe.skipIf(missing !== undefined)(
  "the addon's own convolutions give the same bits on one and two threads:",
  () => {
    test.each([
      ["many tiles", [16, 64, 32, 32], [64, 64, 3, 3], { padding: 1 }],
      ["few tiles", [16, 128, 8, 8], [128, 128, 3, 3], { padding: 1 }],
      ["few weights", [64, 32, 16, 16], [32, 32, 3, 3], { padding: 1 }],
      ["stride 2", [16, 64, 32, 32], [128, 64, 3, 3], { padding: 1, stride: 2 }],
      ["depthwise", [16, 64, 32, 32], [64, 1, 3, 3], { padding: 1, groups: 64 }],
      ["few channels", [16, 3, 64, 64], [8, 3, 5, 5], { padding: 2, stride: 2 }],
      ["small maps", [32, 128, 4, 4], [128, 128, 3, 3], { padding: 1 }],
    ] as const)("%s", (_, shape, kernel, options) => {
      // Other numbers each time, on two threads first: what lies in scratch memory must not be right already.
      forSeeds(5, (choices) => {
        const [images, weights] = [numbers(choices, shape), numbers(choices, kernel)];
        const bits = (threads: number): Uint8Array[] => {
          setThreadCount(threads);
          const device = "native";
          const x = tensor(images.values, { shape, device, requiresGrad: true });
          const w = tensor(weights.values, { shape: kernel, device, requiresGrad: true });
          const y = conv2d(x, w, undefined, options);
          y.square().sum().backward();
          return [y, x.grad ?? x, w.grad ?? w].map((t) => new Uint8Array(t.toTypedArray().slice().buffer));
        };
        const [onTwo, onOne] = [bits(2), bits(1)];
        setThreadCount(2);
        expect(onTwo.map((actual, i) => Buffer.compare(actual, onOne[i]) === 0)).toEqual([true, true, true]);
      });
    });
  },
);

describe.skipIf(missing !== undefined)("the image kernels of the addon refuse", () => {
  const windows = { stride: [1, 1], dilation: [1, 1], before: [1, 1] };
  const make = (
    shape: Shape,
    strides: readonly number[] = shape.length > 2 ? channelsLastStrides(shape) : contiguousStrides(shape),
  ): View => ({
    storage: native.allocate(sizeOf(shape) * 4),
    shape,
    strides,
    offset: 0,
    dtype: "float32",
  });
  const x = make([2, 3, 8, 8]);
  const y = make([2, 4, 8, 8]);
  const w = make([4, 3, 3, 3], contiguousStrides([4, 3, 3, 3]));
  const indices: View = { ...make([2, 3, 8, 8]), dtype: "int32" };
  const { fast } = native;
  const samples = make([2, 3, 8]);
  const group = (groups: number, out = make([2, 3, 8]), mean = make([6]), variance = make([6])): void => {
    fast.groupNorm?.(samples, undefined, undefined, groups, 0, out, mean, variance);
  };
  const groupBackward = (gradient: View, weight: View, weightOut: View | undefined): void => {
    const [mean, variance] = [make([6]), make([6])];
    fast.groupNormBackward?.(gradient, samples, mean, variance, weight, 3, 0, undefined, weightOut, undefined);
  };

  const bad: readonly (readonly [string, () => void])[] = [
    [
      "images that reach outside their memory",
      () => fast.convolution?.({ ...x, shape: [2, 3, 8, 80] }, w, undefined, y, windows, 1),
    ],
    [
      "images that are not channels-last",
      () => fast.convolution?.(make([2, 3, 8, 8], contiguousStrides([2, 3, 8, 8])), w, undefined, y, windows, 1),
    ],
    ["other channels", () => fast.convolution?.(y, w, undefined, y, windows, 1)],
    ["groups that do not fit", () => fast.convolution?.(x, w, undefined, y, windows, 3)],
    ["no groups", () => fast.convolution?.(x, w, undefined, y, windows, 0)],
    ["strides of 0", () => fast.convolution?.(x, w, undefined, y, { ...windows, stride: [0, 1] }, 1)],
    ["negative padding", () => fast.convolution?.(x, w, undefined, y, { ...windows, before: [-1, 0] }, 1)],
    ["a result too small", () => fast.convolution?.(x, w, undefined, make([2, 4, 8, 2]), windows, 1)],
    ["a bias that does not fit", () => fast.convolution?.(x, w, make([3]), y, windows, 1)],
    ["another dtype", () => fast.convolution?.(x, { ...w, dtype: "int32" }, undefined, y, windows, 1)],
    ["a gradient of another batch", () => fast.convolutionData?.(make([1, 4, 8, 8]), w, x, windows, 1)],
    ["weights out of order", () => fast.convolutionWeight?.(x, y, make([4, 3, 3, 3]), undefined, windows, 1)],
    ["pooling into other channels", () => fast.maxPool?.(x, [3, 3], windows, y, indices)],
    ["indices of another type", () => fast.maxPool?.(x, [3, 3], windows, make([2, 3, 8, 8]), x)],
    ["windows of no elements", () => fast.averagePool?.(x, [0, 3], windows, [[], []], make([2, 3, 8, 8]))],
    ["moments of other columns", () => fast.columnMoments?.(make([6, 4], [4, 1]), make([3]), make([4]))],
    ["rows with gaps", () => fast.columnMoments?.(make([4, 4], [5, 1]), make([4]), make([4]))],
    ["groups that do not divide the channels", () => group(4)],
    ["means of other groups", () => group(3, undefined, make([3]))],
    ["variances of other groups", () => group(3, undefined, undefined, make([3]))],
    ["no groups to normalise in", () => group(0)],
    ["a result in another order", () => group(3, make([2, 3, 8], [24, 8, 1]))],
    ["a result on top of what is normalised", () => group(3, samples)],
    ["images with gaps to normalise", () => group(3, make([2, 3, 8], [48, 1, 6]))],
    [
      "a gradient of another batch to normalise",
      () => groupBackward(make([1, 3, 8], [24, 1, 3]), make([3]), undefined),
    ],
    ["a weight of other channels", () => groupBackward(samples, make([4]), undefined)],
    ["a gradient for another weight", () => groupBackward(samples, make([3]), make([2]))],
    [
      "a result of other rows",
      () => fast.layerNorm?.(make([4, 4], [4, 1]), undefined, undefined, 0, make([3, 4], [4, 1]), make([4]), make([4])),
    ],
  ];

  test("nothing that fits", () => {
    group(1, make([2, 3, 8]), make([2]), make([2]));
    group(3);
    groupBackward(samples, make([3]), make([3]));
  });

  test.each(bad)("%s", (_, call) => {
    expect(call).toThrow(/kindling addon/);
  });
});

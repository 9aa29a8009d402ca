import { call, constant, type Expr, input, Kernel, scalar } from "../../backend/expr.ts";
import { isReLU, type Rectifier } from "../../backend/fast.ts";
import {
  channelsLastStrides,
  contiguousStrides,
  isDense,
  keptShape,
  mapSizes,
  type Shape,
  sizeOf,
} from "../../backend/shape.ts";
import { isGradEnabled } from "../autograd/mode.ts";
import type { Tensor } from "../tensor.ts";
import { add, mul, sub } from "./derivative.ts";
import { define } from "./elementwise.ts";
import { affineOf, affinePositions, fastBackward, fastForward, fastStatistics, flatten } from "./fastNorm.ts";
import { followsChannelsLast } from "./imageFormat.ts";
import { viewStrides } from "./movement.ts";
import type { BackwardContext, Op } from "./op.ts";

/**
 * How a tensor is normalised: it is looked at under `shape`, whose axes `axes` have one mean and variance, and whose scale
 * and shift have shape `affine` (of the same rank, 1 where they repeat).
 */
export interface NormOptions {
  readonly name: string;
  readonly shape: Shape;
  readonly axes: readonly number[];
  readonly affine: Shape;
  readonly epsilon: number;
  /** What the result goes through in the same pass; for batch norm only. */
  readonly rectifier?: Rectifier | undefined;
  readonly hasWeight: boolean;
  readonly hasBias: boolean;
}

const [x0, x1, x2, x3, x4] = [input(0), input(1), input(2), input(3), input(4)];
const mean = new Kernel([mul(x0, scalar(0))], 1, 1);
const variance = new Kernel([mul(mul(sub(x0, x1), sub(x0, x1)), scalar(0))], 2, 1);
const scaleOf = new Kernel([mul(call("rsqrt", add(x0, scalar(0))), x1)], 2, 1);
const inverseRoot = new Kernel([call("rsqrt", add(x0, scalar(0)))], 1, 1);
const shifted = add(mul(sub(x0, x1), x2), x3); // (x − mean)·scale + bias
const normalize = new Kernel([shifted], 4);
const normalizeRelu = new Kernel([call("max", shifted, 0)], 4);
const normalizeRectified = new Kernel([rectified(shifted, scalar(0), scalar(1))], 4, 2);
const masked = new Kernel([call("where", call("less", 0, shifted), x4, 0)], 5);
const leaking = new Kernel([call("where", call("less", 0, shifted), x4, mul(x4, scalar(0)))], 5, 1);
const biasShare = new Kernel([x0], 1);
const weightShare = new Kernel([mul(mul(x0, sub(x1, x2)), x3)], 4); // g·(x − mean)/σ
const groupShare = new Kernel([mul(x0, x1)], 2); // g·weight
const groupShareX = new Kernel([mul(mul(x0, x4), mul(sub(x1, x2), x3))], 5); // g·weight·(x − mean)/σ
// (g·w − s0·Σg·w − x̂·s0·Σg·w·x̂)/σ with the sums given as inputs 5 and 6
const inputShare = new Kernel(
  [mul(sub(sub(mul(x0, x4), mul(input(5), scalar(0))), mul(mul(mul(sub(x1, x2), x3), input(6)), scalar(0))), x3)],
  7,
  1,
);
const moving = new Kernel(
  [add(x0, mul(sub(x2, x0), scalar(0))), add(x1, mul(sub(mul(x3, scalar(1)), x1), scalar(0)))],
  4,
  2,
);

/** (x − mean)·scale + bias with given statistics: what trained networks run. */
export const affineOp = define("batchNorm", 4, ([x, m, s, b]) => add(mul(sub(x, m), s), b), { result: "float" });
/** The same, cut off below 0. */
export const affineReluOp = define("batchNorm", 4, ([x, m, s, b]) => call("max", add(mul(sub(x, m), s), b), 0), {
  result: "float",
  derivative: ([x, m, s, b], g) => {
    const open = call("where", call("less", 0, add(mul(sub(x, m), s), b)), g, 0);
    return [mul(open, s), mul(open, mul(s, constant(-1))), mul(open, sub(x, m)), open];
  },
});
/** The same through a {@link Rectifier}, whose numbers follow. */
export const affineRectifiedOp = define(
  "batchNorm",
  6,
  ([x, m, s, b, leak, less]) => rectified(add(mul(sub(x, m), s), b), leak, less),
  { result: "float" },
);

/**
 * Normalisation by the tensor's own mean and variance. Inputs: x, its {@link statistics}, then weight and bias where
 * the options say so; the gradient for x takes into account that the statistics are computed from x.
 */
export const normOp: Op<NormOptions> = {
  name: "norm",
  saves: "inputs",
  infer: ([x], options) => [{ shape: x.shape, dtype: x.dtype, strides: stridesOf(x, options) }],
  forward(backend, inputs, [out], options) {
    if (out.numel() === 0) return;
    const [x, m, v] = inputs;
    if (fastForward(inputs, out, options)) return;
    const { weight, bias } = affineOf(inputs, options);
    const scale = scaleFor(v, weight, options);
    const shift = bias === undefined ? zero(x) : seen(bias, options.affine);
    const { shape, rectifier } = options;
    const { kernel, numbers } = normalizer(rectifier);
    backend.map(kernel, [seen(x, shape), m, scale, shift], [seen(out, shape)], numbers);
    backend.release(scale.storage);
  },
  backward(context) {
    return isGradEnabled() ? differentiable(context) : (fastBackward(context) ?? general(context));
  },
};

/** What a {@link Rectifier} makes of z; a NaN stays one. */
function rectified(z: Expr, leak: Expr, less: Expr): Expr {
  return sub(call("where", call("lessEqual", z, 0), mul(leak, z), z), less);
}

/** Mean and variance (divided by the count) over `axes`, which stay with size 1. Off the tape; see {@link fastStatistics}. */
export function statistics(x: Tensor, options: NormOptions): { mean: Tensor; variance: Tensor } {
  const { shape, axes } = options;
  const { backend } = x.storage;
  const kept = keptShape(shape, axes);
  const dtype = x.dtype === "float64" ? "float64" : "float32";
  const [m, v] = [x._empty(kept, dtype), x._empty(kept, dtype)];
  if (fastStatistics(x, m, v, options)) return { mean: m, variance: v };
  const view = seen(x, shape);
  const share = 1 / sizeOf(axes.map((axis) => shape[axis]));
  backend.reduce("sum", mean, [view], shape, m, [share]);
  backend.reduce("sum", variance, [view, m], shape, v, [share]);
  return { mean: m, variance: v };
}

/** Moves running statistics towards those of a batch of `count` elements per channel, in place. */
export function updateRunning(
  runningMean: Tensor,
  runningVar: Tensor,
  batch: { mean: Tensor; variance: Tensor },
  momentum: number,
  count: number,
): void {
  const [m, v] = [flatten(batch.mean), flatten(batch.variance)];
  const numbers = [momentum, count / (count - 1)]; // the running variance is the unbiased one
  runningMean.storage.backend.map(moving, [runningMean, runningVar, m, v], [runningMean, runningVar], numbers);
  runningMean.storage.version++;
  runningVar.storage.version++;
}

/** Strides of a result: channels-last as x, where the shape it is normalised in can be seen in that order; else row-major. */
function stridesOf(x: Tensor, { shape }: NormOptions): readonly number[] | undefined {
  return followsChannelsLast(x) && viewStrides(x, shape) !== undefined ? channelsLastStrides(x.shape) : undefined;
}

/** x under the shape it is normalised in; a view where strides allow it, else a copy. */
function seen(x: Tensor, shape: Shape): Tensor {
  return x.detach().reshape(shape);
}

function zero(like: Tensor): Tensor {
  const result = like._empty([], like.dtype);
  result._fill(0);
  return result;
}

function one(like: Tensor): Tensor {
  const result = like._empty([], like.dtype);
  result._fill(1);
  return result;
}

/** weight/√(variance + ε), of the shape both broadcast to. */
function scaleFor(v: Tensor, weight: Tensor | undefined, { affine, epsilon }: NormOptions): Tensor {
  const shape = mapSizes(v.shape, (size, i) => Math.max(size, weight === undefined ? 1 : affine[i]));
  const scale = v._empty(shape, v.dtype);
  v.storage.backend.map(scaleOf, [v, weight === undefined ? one(v) : seen(weight, affine)], [scale], [epsilon]);
  return scale;
}

function normalizer(rectifier: Rectifier | undefined): { kernel: Kernel; numbers: readonly number[] } {
  if (rectifier === undefined) return { kernel: normalize, numbers: [] };
  if (isReLU(rectifier)) return { kernel: normalizeRelu, numbers: [] };
  return { kernel: normalizeRectified, numbers: [rectifier.leak, rectifier.sub] };
}

/** The gradients by map and reduce. */
function general({ gradient, inputs, options, needs, inputSpecs }: BackwardContext<NormOptions>) {
  const { shape, axes, affine, rectifier, epsilon } = options;
  const [source, m, v] = inputs;
  const { backend } = source.storage;
  const { weight, bias } = affineOf(inputs, options);
  const x = seen(source, shape);
  let g = seen(gradient, shape);
  if (rectifier !== undefined) {
    const open = x._empty(shape, g.dtype, isDense(shape, x.strides) ? x.strides : undefined);
    const shift = bias === undefined ? zero(x) : seen(bias, affine);
    const [kernel, numbers] = isReLU(rectifier) ? [masked, []] : [leaking, [rectifier.leak]];
    backend.map(kernel, [x, m, scaleFor(v, weight, options), shift, g], [open], numbers);
    g = open;
  }
  const r = v._empty(v.shape, v.dtype);
  backend.map(inverseRoot, [v], [r], [epsilon]);
  const w = weight === undefined ? one(x) : seen(weight, affine);
  const sumTo = (kernel: Kernel, views: readonly Tensor[], kept: Shape, like: Tensor): Tensor => {
    const out = like._empty(kept, like.dtype);
    backend.reduce("sum", kernel, views, shape, out, []);
    return out;
  };
  const results: (Tensor | undefined)[] = inputSpecs.map(() => undefined);
  const at = affinePositions(options);
  if (weight !== undefined && needs[at.weight]) {
    results[at.weight] = reshaped(sumTo(weightShare, [g, x, m, r], affine, weight), weight.shape);
  }
  if (bias !== undefined && needs[at.bias]) {
    results[at.bias] = reshaped(sumTo(biasShare, [g], affine, bias), bias.shape);
  }
  if (needs[0]) {
    const total = sumTo(groupShare, [g, w], m.shape, m);
    const totalX = sumTo(groupShareX, [g, x, m, r, w], m.shape, m);
    const out = source._empty(source.shape, source.dtype, stridesOf(source, options));
    const share = 1 / sizeOf(axes.map((axis) => shape[axis]));
    backend.map(inputShare, [g, x, m, r, w, total, totalX], [seen(out, shape)], [share]);
    results[0] = out;
  }
  return results;
}

/** The same gradients in recorded operations, for gradients of gradients. */
function differentiable({ gradient, inputs, options, needs }: BackwardContext<NormOptions>) {
  const { shape, axes, affine, rectifier, epsilon } = options;
  const { weight, bias } = affineOf(inputs, options);
  const x = inputs[0].reshape(shape);
  const centred = x.sub(x.mean(axes, { keepDims: true }));
  const r = centred.square().mean(axes, { keepDims: true }).add(epsilon).rsqrt();
  const unit = centred.mul(r);
  const scaled = weight === undefined ? unit : unit.mul(weight.reshape(affine));
  const result = bias === undefined ? scaled : scaled.add(bias.reshape(affine));
  let g = gradient.reshape(shape);
  if (rectifier !== undefined) {
    const open = result.gt(0).to(g.dtype);
    g = g.mul(isReLU(rectifier) ? open : open.mul(1 - rectifier.leak).add(rectifier.leak));
  }
  const gw = weight === undefined ? g : g.mul(weight.reshape(affine));
  const along = gw.sub(gw.mean(axes, { keepDims: true }));
  const toX = along.sub(unit.mul(gw.mul(unit).mean(axes, { keepDims: true }))).mul(r);
  const all = [
    toX.reshape(inputs[0].shape),
    undefined,
    undefined,
    ...(weight === undefined ? [] : [g.mul(unit).sumTo(affine).reshape(weight.shape)]),
    ...(bias === undefined ? [] : [g.sumTo(affine).reshape(bias.shape)]),
  ];
  return all.map((result, i) => (needs[i] ? result : undefined));
}

function reshaped(x: Tensor, shape: Shape): Tensor {
  return x._wrap(x.storage, shape, contiguousStrides(shape), x.offset, x.dtype);
}

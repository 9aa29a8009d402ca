import { ArgumentError, IndexError, ShapeError } from "../backend/errors.ts";
import { call } from "../backend/expr.ts";
import { type Shape, sameShape } from "../backend/shape.ts";
import { apply } from "../tensor/apply.ts";
import { reduceSum } from "../tensor/methods/reduce.ts";
import { mul } from "../tensor/ops/derivative.ts";
import { define } from "../tensor/ops/elementwise.ts";
import { indexSelect } from "../tensor/ops/indexing.ts";
import { squaredErrorOp, SumOp } from "../tensor/ops/reduce.ts";
import { crossEntropyOp } from "../tensor/ops/softmax.ts";
import { bernoulli, type Generator } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkProbability } from "./arguments.ts";

export {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  adaptiveMaxPool3d,
} from "../tensor/adaptivePool.ts";
export { scaledDotProductAttention } from "../tensor/attention.ts";
export { conv1d, conv2d, conv3d, convTranspose1d, convTranspose2d, convTranspose3d } from "../tensor/conv.ts";
export { batchNorm, groupNorm, instanceNorm, layerNorm } from "../tensor/norm.ts";
export { linear } from "../tensor/ops/matmul.ts";
export { avgPool1d, avgPool2d, avgPool3d, maxPool1d, maxPool2d, maxPool3d } from "../tensor/pool.ts";
export { interpolate } from "../tensor/upsample.ts";

/** How losses of items become one: their mean, their sum, or not at all. */
export type Reduction = "mean" | "sum" | "none";

/** Options most losses take. */
export interface LossOptions {
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends LossOptions {
  /** A weight per class. Shapes: `[c]`. */
  readonly weight?: Tensor;
  /** A target that does not count. Default -100. */
  readonly ignoreIndex?: number;
  /** Share of the target spread over all classes, 0 to 1. Default 0. */
  readonly labelSmoothing?: number;
}

const dropoutOp = define("dropout", 3, ([x, mask, scale]) => mul(mul(x, mask), scale));

// max(x, 0) − x·y + log(1 + e^−|x|), which overflows nowhere
const logitLossOp = new SumOp(
  "binaryCrossEntropyWithLogits",
  ([x, y, s]) => mul(call("sub", call("softplus", x), mul(x, y)), s),
  [false, false, true],
);
const logitLoss = define("binaryCrossEntropyWithLogits", 2, ([x, y]) => call("sub", call("softplus", x), mul(x, y)));
const absoluteErrorOp = new SumOp("l1", ([x, y, s]) => mul(call("abs", call("sub", x, y)), s), [false, false, true]);

/** max(x, 0). */
export const relu = (x: Tensor): Tensor => x.relu();
/** x·Φ(x). */
export const gelu = (x: Tensor): Tensor => x.gelu();
/** x·sigmoid(x). */
export const silu = (x: Tensor): Tensor => x.silu();
/** x·tanh(softplus(x)). */
export const mish = (x: Tensor): Tensor => x.mish();
/** 1/(1 + e⁻ˣ). */
export const sigmoid = (x: Tensor): Tensor => x.sigmoid();
/** Hyperbolic tangent. */
export const tanh = (x: Tensor): Tensor => x.tanh();
/** x where positive, slope·x elsewhere. */
export const leakyRelu = (x: Tensor, slope?: number): Tensor => x.leakyRelu(slope);
/** log(1 + e^(beta·x)) / beta. */
export const softplus = (x: Tensor, beta?: number): Tensor => x.softplus(beta);
/** eˣ / Σ eˣ along an axis. */
export const softmax = (x: Tensor, axis: number): Tensor => x.softmax(axis);
/** x − log Σ eˣ along an axis. */
export const logSoftmax = (x: Tensor, axis: number): Tensor => x.logSoftmax(axis);

/**
 * Sets elements to 0 with probability p and scales the others by 1/(1 − p).
 *
 * @param options.p - Default 0.5.
 * @param options.training - Does nothing when false. Default true.
 * @param options.shape - Shape of the mask, which is broadcast: size 1 drops a whole axis together. Default that of x.
 */
export function dropout(
  x: Tensor,
  {
    p = 0.5,
    training = true,
    shape = x.shape,
    generator,
  }: { p?: number; training?: boolean; shape?: Shape; generator?: Generator } = {},
): Tensor {
  checkProbability("dropout", "p", p);
  if (!training || p === 0) return x;
  if (p === 1) return x.mul(0);
  const random = generator === undefined ? {} : { generator };
  const mask = bernoulli(shape, 1 - p, { dtype: "bool", device: x.device, ...random });
  return dropoutOp.call(x, mask, 1 / (1 - p));
}

/**
 * Rows of a table by number.
 *
 * Shapes: indices `[…]` int32, weight `[count, size]` → `[…, size]`.
 *
 * @throws {@link IndexError} for an index outside the table.
 */
export function embedding(indices: Tensor, weight: Tensor, { paddingIndex }: { paddingIndex?: number } = {}): Tensor {
  if (weight.rank !== 2) throw new ShapeError("embedding", `the weight must be [count, size], got [${weight.shape}].`);
  const rows = indexSelect("embedding", weight, 0, indices.reshape([-1]));
  const result = rows.reshape([...indices.shape, weight.shape[1]]);
  if (paddingIndex === undefined) return result;
  // The padding row is a constant: its value passes, its gradient does not.
  return result.detach().where(indices.eq(paddingIndex).unsqueeze(-1), result);
}

/**
 * One row of zeros and a single 1 per class number.
 *
 * Shapes: `[…]` → `[…, classes]` int32.
 *
 * @param classes - Default one more than the largest number.
 * @throws {@link IndexError} for a number outside `0 … classes − 1`.
 */
export function oneHot(indices: Tensor, classes?: number): Tensor {
  const count = classes ?? (indices.numel() === 0 ? 0 : indices.amax().item() + 1);
  if (indices.numel() > 0) {
    const [low, high] = [indices.amin().item(), indices.amax().item()];
    if (low < 0 || high >= count) {
      throw new IndexError("oneHot", `class ${low < 0 ? low : high} is out of range for ${count} classes (0 to ${count - 1}).`);
    }
  }
  return indices.unsqueeze(-1).eq(indices._range(count)).to("int32");
}

/**
 * Cross-entropy of logits against class numbers, or against probabilities; log-sum-exp inside, so nothing overflows.
 *
 * Shapes: logits `[n, c]` or `[n, c, …]`; targets `[n]` or `[n, …]` int32, or probabilities of the logits' shape.
 *
 * @throws {@link IndexError} for a target outside the classes, {@link ShapeError} when the shapes do not fit.
 * @see PyTorch: `F.cross_entropy`; label smoothing: Szegedy et al. 2015, https://arxiv.org/abs/1512.00567.
 * @example
 * F.crossEntropy(zeros([2, 10]), tensor([3, 7], { dtype: "int32" })).item(); // => 2.302585
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { weight, labelSmoothing = 0, reduction = "mean" } = options;
  checkReduction("crossEntropy", reduction);
  checkProbability("crossEntropy", "labelSmoothing", labelSmoothing);
  if (logits.rank === 0) throw new ShapeError("crossEntropy", "logits need a class axis: [n, c] or [c].");
  if (logits.rank === 1) return crossEntropy(logits.unsqueeze(0), targets.unsqueeze(0), options).reshape(reduction === "none" ? targets.shape.slice(1) : []);
  if (isProbability(logits, targets)) return softCrossEntropy(logits, targets, options);
  const rows = classesLast(logits);
  const flat = targets.reshape([-1]);
  checkBatch("crossEntropy", logits, targets);
  const { ignoreIndex = -100 } = options;
  if (weight === undefined && labelSmoothing === 0) {
    const losses = apply(crossEntropyOp, [rows, flat], { ignoreIndex });
    if (reduction === "none") return losses.reshape(targets.shape);
    if (reduction === "sum") return losses.sum();
    return countedMean(losses, flat, ignoreIndex);
  }
  return weightedCrossEntropy(rows, flat, targets, options);
}

/**
 * Negative log-likelihood: minus the log-probability of each target.
 *
 * Shapes: log-probabilities `[n, c]` or `[n, c, …]`, targets `[n]` or `[n, …]` int32.
 *
 * @throws {@link IndexError} for a target outside the classes.
 */
export function nll(logProbabilities: Tensor, targets: Tensor, options: Omit<CrossEntropyOptions, "labelSmoothing"> = {}): Tensor {
  const { weight, ignoreIndex = -100, reduction = "mean" } = options;
  checkReduction("nll", reduction);
  checkBatch("nll", logProbabilities, targets);
  const flat = targets.reshape([-1]);
  const counted = flat.ne(ignoreIndex);
  const safe = flat.maskedFill(counted.logicalNot(), 0).to("int32");
  const picked = classesLast(logProbabilities).gather(1, safe.unsqueeze(1)).squeeze(1).neg();
  const weights = weight === undefined ? counted.to(picked.dtype) : weight.indexSelect(0, safe).mul(counted);
  const losses = picked.mul(weights);
  if (reduction === "none") return losses.reshape(targets.shape);
  return reduction === "sum" ? losses.sum() : losses.sum().div(weights.sum());
}

/**
 * Mean squared error.
 *
 * Shapes: two tensors of one shape, or that broadcast.
 */
export function mse(x: Tensor, y: Tensor, { reduction = "mean" }: LossOptions = {}): Tensor {
  checkReduction("mse", reduction);
  if (reduction === "none") return x.sub(y).square();
  return reducedLoss("mse", squaredErrorOp, x, y, reduction);
}

/** Mean absolute error. */
export function l1(x: Tensor, y: Tensor, { reduction = "mean" }: LossOptions = {}): Tensor {
  checkReduction("l1", reduction);
  if (reduction === "none") return x.sub(y).abs();
  return reducedLoss("l1", absoluteErrorOp, x, y, reduction);
}

/**
 * Binary cross-entropy of logits against probabilities: −y·log σ(x) − (1 − y)·log(1 − σ(x)), in the form that never overflows.
 *
 * Shapes: logits and targets of one shape.
 */
export function binaryCrossEntropyWithLogits(logits: Tensor, targets: Tensor, { reduction = "mean" }: LossOptions = {}): Tensor {
  checkReduction("binaryCrossEntropyWithLogits", reduction);
  requireSameShape("binaryCrossEntropyWithLogits", logits, targets);
  if (reduction === "none") return logitLoss.call(logits, targets);
  return reducedLoss("binaryCrossEntropyWithLogits", logitLossOp, logits, targets, reduction);
}

function reducedLoss(name: string, op: SumOp, x: Tensor, y: Tensor, reduction: Reduction): Tensor {
  const count = sameShape(x.shape, y.shape) ? x.numel() : x.expand(x.add(y).shape).numel();
  return reduceSum(name, op, [x, y].map((side) => (side === x ? spreadLike(x, y) : side)), undefined, {}, [
    reduction === "mean" ? 1 / count : 1,
  ]);
}

/** The first input carries the rank of the result. */
function spreadLike(x: Tensor, y: Tensor): Tensor {
  return x.rank >= y.rank ? x : x.reshape([...new Array<number>(y.rank - x.rank).fill(1), ...x.shape]);
}

function weightedCrossEntropy(rows: Tensor, flat: Tensor, targets: Tensor, options: CrossEntropyOptions): Tensor {
  const { weight, ignoreIndex = -100, labelSmoothing = 0, reduction = "mean" } = options;
  const logp = rows.logSoftmax(1);
  const common = { ignoreIndex, ...(weight === undefined ? {} : { weight }) };
  const hard = nll(logp, flat, { ...common, reduction: "none" });
  const counted = flat.ne(ignoreIndex).to(logp.dtype);
  const spread = weight === undefined ? logp.mean(1) : logp.mul(weight).mean(1);
  const losses = hard.mul(1 - labelSmoothing).sub(spread.mul(counted).mul(labelSmoothing));
  if (reduction === "none") return losses.reshape(targets.shape);
  if (reduction === "sum") return losses.sum();
  const safe = flat.maskedFill(counted.eq(0), 0).to("int32");
  const total = weight === undefined ? counted.sum() : weight.indexSelect(0, safe).mul(counted).sum();
  return losses.sum().div(total);
}

function softCrossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions): Tensor {
  const { weight, labelSmoothing = 0, reduction = "mean" } = options;
  const classes = logits.shape[1];
  const smooth = labelSmoothing === 0 ? targets : targets.mul(1 - labelSmoothing).add(labelSmoothing / classes);
  const shape = logits.shape.map((_, i) => (i === 1 ? classes : 1));
  const logp = logits.logSoftmax(1);
  const losses = (weight === undefined ? logp : logp.mul(weight.reshape(shape))).mul(smooth).sum(1).neg();
  if (reduction === "none") return losses;
  return reduction === "sum" ? losses.sum() : losses.mean();
}

function isProbability(logits: Tensor, targets: Tensor): boolean {
  return targets.dtype.includes("float") && sameShape(logits.shape, targets.shape);
}

function countedMean(losses: Tensor, targets: Tensor, ignoreIndex: number): Tensor {
  if (ignoreIndex < 0 && !hasNegative(targets)) return losses.mean();
  return losses.sum().div(targets.ne(ignoreIndex).sum().to(losses.dtype));
}

/** Whether any target is ignored; targets were checked, so a negative one is the ignored number. */
function hasNegative(targets: Tensor): boolean {
  return targets.numel() > 0 && targets.dtype === "int32" && targets.amin().item() < 0;
}

/** [n, c, …] → [n·…, c] */
function classesLast(x: Tensor): Tensor {
  if (x.rank === 2) return x;
  const order = [0, ...Array.from({ length: x.rank - 2 }, (_, i) => i + 2), 1];
  return x.permute(order).reshape([-1, x.shape[1]]);
}

function checkBatch(operation: string, x: Tensor, targets: Tensor): void {
  const expected = x.shape.filter((_, i) => i !== 1);
  if (x.rank < 2 || !sameShape(expected, targets.shape)) {
    throw new ShapeError(operation, `targets [${targets.shape}] do not fit [${x.shape}]; they must be [${expected}].`);
  }
}

function requireSameShape(operation: string, x: Tensor, y: Tensor): void {
  if (!sameShape(x.shape, y.shape)) throw new ShapeError(operation, `shapes differ: [${x.shape}] and [${y.shape}].`);
}

function checkReduction(operation: string, reduction: string): void {
  if (!["mean", "sum", "none"].includes(reduction)) {
    throw new ArgumentError(operation, `unknown reduction "${reduction}"; use "mean", "sum" or "none".`);
  }
}

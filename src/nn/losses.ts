import { ArgumentError, ShapeError } from "../backend/errors.ts";
import { call } from "../backend/expr.ts";
import { broadcastShapes, type Shape, sameShape, sizeOf } from "../backend/shape.ts";
import { reduceSum } from "../tensor/methods/reduce.ts";
import { div, mul, sub } from "../tensor/ops/derivative.ts";
import { define, type Elementwise, requireFloat } from "../tensor/ops/elementwise.ts";
import { SumOp, squaredErrorOp } from "../tensor/ops/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkNumber } from "./arguments.ts";

/** How losses of items become one: their mean, their sum, or not at all. */
export type Reduction = "mean" | "sum" | "none";

/** Options most losses take. */
export interface LossOptions {
  /** Default "mean". */
  readonly reduction?: Reduction;
}

/** Options of {@link smoothL1}. */
export interface SmoothL1Options extends LossOptions {
  /** Difference at which the square becomes a line, above 0. Default 1. */
  readonly beta?: number;
}

const logitLoss = define("binaryCrossEntropyWithLogits", 2, ([x, y]) => sub(call("softplus", x), mul(x, y)));
// log(1 + eˣ) − x·y = max(x, 0) − x·y + log(1 + e^−|x|), which overflows nowhere
const logitLossOp = new SumOp(
  "binaryCrossEntropyWithLogits",
  ([x, y, s]) => mul(sub(call("softplus", x), mul(x, y)), s),
  [false, false, true],
);
const squaredError = define("mse", 2, ([x, y]) => mul(sub(x, y), sub(x, y)));
const absoluteError = define("l1", 2, ([x, y]) => call("abs", sub(x, y)));
const absoluteErrorOp = new SumOp("l1", ([x, y, s]) => mul(call("abs", sub(x, y)), s), [false, false, true]);
const smoothError = define("smoothL1", 3, ([x, y, beta]) => {
  const distance = call("abs", sub(x, y));
  const square = div(mul(mul(distance, distance), 0.5), beta);
  return call("where", call("less", distance, beta), square, sub(distance, mul(0.5, beta)));
});

/**
 * Mean squared error.
 *
 * Shapes: two tensors of one shape, or one that is stretched to the other's.
 *
 * @throws {@link ShapeError} when both would be stretched, as `[n, 1]` and `[n]` would to `[n, n]`.
 * @see PyTorch: `F.mse_loss`, which only warns then.
 * @example
 * F.mse(tensor([1, 2]), tensor([1, 4])).item(); // => 2
 */
export function mse(x: Tensor, y: Tensor, { reduction = "mean" }: LossOptions = {}): Tensor {
  return pairwise("mse", squaredError, squaredErrorOp, x, y, reduction);
}

/**
 * Mean absolute error. Shapes and errors as of {@link mse}.
 *
 * @see PyTorch: `F.l1_loss`.
 * @example
 * F.l1(tensor([1, 2]), tensor([1, 4])).item(); // => 1
 */
export function l1(x: Tensor, y: Tensor, { reduction = "mean" }: LossOptions = {}): Tensor {
  return pairwise("l1", absoluteError, absoluteErrorOp, x, y, reduction);
}

/**
 * Half the squared difference over beta where it is below beta, the difference less beta/2 elsewhere. Shapes and errors as
 * of {@link mse}.
 *
 * @see Girshick 2015, https://arxiv.org/abs/1504.08083. PyTorch: `F.smooth_l1_loss`.
 * @example
 * F.smoothL1(tensor([0, 0]), tensor([0.5, 3]), { reduction: "none" }).toArray(); // => [0.125, 2.5]
 */
export function smoothL1(x: Tensor, y: Tensor, { reduction = "mean", beta = 1 }: SmoothL1Options = {}): Tensor {
  checkPair("smoothL1", x, y, reduction);
  checkNumber("smoothL1", "beta", beta);
  if (beta <= 0) throw new ArgumentError("smoothL1", `beta must be above 0, got ${beta}; for 0 use l1().`);
  return reduceLosses(smoothError.call(x, y, beta), reduction);
}

/**
 * Binary cross-entropy of logits against probabilities: −y·log σ(x) − (1 − y)·log(1 − σ(x)), in the form that never overflows.
 *
 * Shapes: logits and targets of one shape.
 *
 * @throws {@link ShapeError} when they differ.
 * @see PyTorch: `F.binary_cross_entropy_with_logits`.
 * @example
 * F.binaryCrossEntropyWithLogits(tensor([0, 1000]), tensor([0, 1])).item(); // => 0.34657359
 */
export function binaryCrossEntropyWithLogits(
  logits: Tensor,
  targets: Tensor,
  { reduction = "mean" }: LossOptions = {},
): Tensor {
  if (!sameShape(logits.shape, targets.shape)) {
    throw new ShapeError("binaryCrossEntropyWithLogits", `shapes differ: [${logits.shape}] and [${targets.shape}].`);
  }
  return pairwise("binaryCrossEntropyWithLogits", logitLoss, logitLossOp, logits, targets, reduction);
}

/** Losses of items made one. */
export function reduceLosses(losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === "none") return losses;
  return reduction === "sum" ? losses.sum() : losses.mean();
}

/** Refuses a word that is no reduction. @throws {@link ArgumentError} */
export function checkReduction(operation: string, reduction: string): void {
  if (["mean", "sum", "none"].includes(reduction)) return;
  throw new ArgumentError(operation, `unknown reduction "${reduction}"; use "mean", "sum" or "none".`);
}

/** A loss of pairs of elements: item by item, or summed in the pass that computes it. */
function pairwise(name: string, items: Elementwise, op: SumOp, x: Tensor, y: Tensor, reduction: Reduction): Tensor {
  const shape = checkPair(name, x, y, reduction);
  if (reduction === "none" || sizeOf(shape) === 0) return reduceLosses(items.call(x, y), reduction);
  // The first input carries the rank that is summed over.
  const first = x.rank >= y.rank ? x : x.reshape([...new Array<number>(y.rank - x.rank).fill(1), ...x.shape]);
  return reduceSum(name, op, [first, y], undefined, {}, [reduction === "mean" ? 1 / sizeOf(shape) : 1]);
}

function checkPair(name: string, x: Tensor, y: Tensor, reduction: Reduction): Shape {
  checkReduction(name, reduction);
  requireFloat(name, x);
  const shape = broadcastShapes(name, [x.shape, y.shape]);
  if (sameShape(shape, x.shape) || sameShape(shape, y.shape)) return shape;
  throw new ShapeError(
    name,
    `[${x.shape}] and [${y.shape}] would both be stretched to [${shape}]; reshape one to the other's shape.`,
  );
}

import { DTypeError, ShapeError } from "../backend/errors.ts";
import { mapSizes, sameShape } from "../backend/shape.ts";
import { apply } from "../tensor/apply.ts";
import { requireFloat } from "../tensor/ops/elementwise.ts";
import { gatherOp } from "../tensor/ops/indexing.ts";
import { crossEntropyOp } from "../tensor/ops/softmax.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkProbability } from "./arguments.ts";
import { checkReduction, type LossOptions, type Reduction, reduceLosses } from "./losses.ts";

/** Options of {@link nll}. */
export interface NllOptions extends LossOptions {
  /** A weight per class. Shapes: `[c]`. */
  readonly weight?: Tensor;
  /** A target that does not count. Default -100. */
  readonly ignoreIndex?: number;
}

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions extends NllOptions {
  /** Share of the target spread over all classes, 0 to 1. Default 0. */
  readonly labelSmoothing?: number;
}

/**
 * Cross-entropy of logits against class numbers, or against probabilities; log-sum-exp inside, so nothing overflows.
 *
 * Shapes: logits `[n, c]`, `[n, c, …]` or `[c]`; targets `[n]`, `[n, …]` or `[]` int32, or probabilities of the logits' shape.
 *
 * The mean is over the targets that count, by their classes' weights where there are weights.
 *
 * @throws {@link IndexError} for a target outside the classes, {@link ShapeError} when the shapes do not fit,
 * {@link DTypeError} for targets that are neither class numbers nor probabilities of the logits' shape.
 * @see PyTorch: `F.cross_entropy`; label smoothing: Szegedy et al. 2015, https://arxiv.org/abs/1512.00567.
 * @example
 * F.crossEntropy(zeros([2, 10]), tensor([3, 7], { dtype: "int32" })).item(); // => 2.302585
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { weight, ignoreIndex = -100, labelSmoothing = 0, reduction = "mean" } = options;
  checkReduction("crossEntropy", reduction);
  checkProbability("crossEntropy", "labelSmoothing", labelSmoothing);
  if (logits.rank === 1) return single(crossEntropy, logits, targets, options);
  requireFloat("crossEntropy", logits);
  checkWeight("crossEntropy", logits, weight);
  if (targets.dtype.includes("float") && sameShape(logits.shape, targets.shape)) {
    return softCrossEntropy(logits, targets, options);
  }
  checkBatch("crossEntropy", logits, targets);
  const rows = classesLast(logits);
  const flat = targets.reshape([-1]);
  if (weight !== undefined || labelSmoothing > 0) return smoothed(rows, flat, targets, options);
  if (reduction === "none") return apply(crossEntropyOp, [rows, flat], { ignoreIndex }).reshape(targets.shape);
  const scale = reduction === "sum" ? 1 : 1 / countOf(flat, ignoreIndex); // of nothing, the mean is NaN
  return apply(crossEntropyOp, [rows, flat], { ignoreIndex, scale });
}

/**
 * Negative log-likelihood: minus the log-probability of each target.
 *
 * Shapes: log-probabilities `[n, c]`, `[n, c, …]` or `[c]`; targets `[n]`, `[n, …]` or `[]` int32.
 *
 * @throws {@link IndexError} for a target outside the classes.
 * @see PyTorch: `F.nll_loss`.
 * @example
 * F.nll(tensor([[-0.5, -2]]), tensor([1], { dtype: "int32" })).item(); // => 2
 */
export function nll(logProbabilities: Tensor, targets: Tensor, options: NllOptions = {}): Tensor {
  const { weight, ignoreIndex = -100, reduction = "mean" } = options;
  checkReduction("nll", reduction);
  if (logProbabilities.rank === 1) return single(nll, logProbabilities, targets, options);
  requireFloat("nll", logProbabilities);
  checkWeight("nll", logProbabilities, weight);
  checkBatch("nll", logProbabilities, targets);
  const picked = pick("nll", classesLast(logProbabilities), targets.reshape([-1]), { weight, ignoreIndex });
  if (reduction !== "mean") return shaped(picked.losses, targets, reduction);
  return picked.losses.sum().div(picked.weights.sum());
}

/** Minus what stands at each target, times its class's weight; 0 where the target does not count. */
function pick(
  name: string,
  rows: Tensor,
  targets: Tensor,
  { weight, ignoreIndex }: { weight: Tensor | undefined; ignoreIndex: number },
): { losses: Tensor; weights: Tensor } {
  const whole = targets.to("int32");
  const ignored = whole.eq(ignoreIndex);
  const safe = whole.maskedFill(ignored, 0);
  const picked = apply(gatherOp, [rows, safe.unsqueeze(1)], { name, axis: 1 })
    .squeeze(1)
    .neg();
  const counted = ignored.logicalNot().to(rows.dtype);
  const weights = weight === undefined ? counted : weight.indexSelect(0, safe).mul(counted);
  return { losses: picked.mul(weights).maskedFill(ignored, 0), weights };
}

/** (1 − ε)·loss at the target + ε·mean loss over the classes, with weights. */
function smoothed(rows: Tensor, flat: Tensor, targets: Tensor, options: CrossEntropyOptions): Tensor {
  const { weight, ignoreIndex = -100, labelSmoothing = 0, reduction = "mean" } = options;
  const logp = rows.logSoftmax(1);
  const { losses: hard, weights } = pick("crossEntropy", logp, flat, { weight, ignoreIndex });
  const ignored = flat.to("int32").eq(ignoreIndex);
  const even = (weight === undefined ? logp : logp.mul(weight)).mean(1).neg().maskedFill(ignored, 0);
  const losses = labelSmoothing === 0 ? hard : hard.mul(1 - labelSmoothing).add(even.mul(labelSmoothing));
  return reduction === "mean" ? losses.sum().div(weights.sum()) : shaped(losses, targets, reduction);
}

function softCrossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions): Tensor {
  const { weight, labelSmoothing = 0, reduction = "mean" } = options;
  const classes = logits.shape[1];
  const smooth = labelSmoothing === 0 ? targets : targets.mul(1 - labelSmoothing).add(labelSmoothing / classes);
  const logp = logits.logSoftmax(1);
  const weighted =
    weight === undefined ? logp : logp.mul(weight.reshape(mapSizes(logits.shape, (_, i) => (i === 1 ? classes : 1))));
  return reduceLosses(weighted.mul(smooth).sum(1).neg(), reduction);
}

/** One sample without a batch axis. */
function single<Options extends LossOptions>(
  loss: (x: Tensor, targets: Tensor, options: Options) => Tensor,
  x: Tensor,
  targets: Tensor,
  options: Options,
): Tensor {
  const result = loss(x.unsqueeze(0), targets.unsqueeze(0), options);
  return options.reduction === "none" ? result.squeeze(0) : result;
}

function shaped(losses: Tensor, targets: Tensor, reduction: Reduction): Tensor {
  return reduction === "none" ? losses.reshape(targets.shape) : reduceLosses(losses, reduction);
}

/** How many targets count; those of the usual loss, which were checked, are only looked at for a negative one. */
function countOf(targets: Tensor, ignoreIndex: number): number {
  const count = targets.numel();
  if (count === 0) return 0;
  if (count <= 1024) {
    let counted = 0; // so few are counted here sooner than by a kernel
    for (const target of targets.toTypedArray()) if (target !== ignoreIndex) counted++;
    return counted;
  }
  if (ignoreIndex < 0 && (targets.dtype !== "int32" || targets.amin().item() >= 0)) return count;
  return targets.to("int32").ne(ignoreIndex).sum().item();
}

/** [n, c, …] → [n·…, c] */
function classesLast(x: Tensor): Tensor {
  if (x.rank === 2) return x;
  const order = [0, ...Array.from({ length: x.rank - 2 }, (_, i) => i + 2), 1];
  return x.permute(order).reshape([-1, x.shape[1]]);
}

function checkBatch(operation: string, x: Tensor, targets: Tensor): void {
  const expected = x.shape.filter((_, i) => i !== 1);
  if (x.rank < 2) throw new ShapeError(operation, `input [${x.shape}] needs a class axis: [n, c] or [c].`);
  if (targets.dtype !== "int32" && targets.dtype !== "uint8") {
    throw new DTypeError(
      operation,
      `targets must be int32 class numbers, got ${targets.dtype} [${targets.shape}]. Convert with .to("int32").`,
    );
  }
  if (!sameShape(expected, targets.shape)) {
    throw new ShapeError(operation, `targets [${targets.shape}] do not fit [${x.shape}]; they must be [${expected}].`);
  }
}

function checkWeight(operation: string, x: Tensor, weight: Tensor | undefined): void {
  if (weight === undefined || sameShape(weight.shape, [x.shape[1]])) return;
  throw new ShapeError(
    operation,
    `weight [${weight.shape}] does not fit [${x.shape}]; it must be [${x.shape[1]}], one per class.`,
  );
}

import { ArgumentError, IndexError, ShapeError } from "../../backend/errors.ts";
import { sameShape } from "../../backend/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** How class numbers are read from predictions. */
export interface ClassOptions {
  /**
   * The axis of the classes. Default the one axis by which predictions and targets differ: the last for `[n, …, c]`,
   * the second for images `[n, c, h, w]` against `[n, h, w]`.
   */
  readonly axis?: number;
}

/** As {@link ClassOptions}, also for two classes with a single number per item. */
export interface TwoClassOptions extends ClassOptions {
  /**
   * Predictions are one number per target, and those above this are of class 1: 0 for logits, 0.5 for probabilities.
   * Default: predictions have an axis of classes.
   */
  readonly threshold?: number;
}

/**
 * The axis of predictions that targets do not have.
 *
 * @throws {@link ShapeError} when no axis fits, {@link ArgumentError} when two fit and none is named.
 */
export function classAxis(operation: string, preds: Tensor, targets: Tensor, axis?: number): number {
  const candidates = axis === undefined ? [...new Set([preds.rank - 1, 1])] : [axis < 0 ? axis + preds.rank : axis];
  const fitting = candidates.filter((a) => a >= 0 && a < preds.rank && fits(preds, targets, a));
  if (fitting.length > 1) {
    throw new ArgumentError(
      operation,
      `classes may lie on axis ${fitting.join(" or ")} of predictions [${preds.shape}] with targets [${targets.shape}]. Name the axis.`,
    );
  }
  if (fitting.length === 1) return fitting[0];
  throw new ShapeError(
    operation,
    `predictions [${preds.shape}] without their axis of classes (${candidates.join(" or ")}) do not have the shape of targets [${targets.shape}].`,
  );
}

/** The predicted class of each target. */
export function predictedClasses(operation: string, preds: Tensor, targets: Tensor, options: TwoClassOptions): Tensor {
  const { axis, threshold } = options;
  if (threshold === undefined) return preds.detach().argmax(classAxis(operation, preds, targets, axis));
  if (preds.numel() !== targets.numel()) {
    throw new ShapeError(
      operation,
      `with a threshold there must be one prediction per target, got [${preds.shape}] for [${targets.shape}].`,
    );
  }
  return preds.detach().reshape(targets.shape).gt(threshold).to("int32");
}

/** Number of classes of predictions. */
export function classCount(operation: string, preds: Tensor, targets: Tensor, options: TwoClassOptions): number {
  return options.threshold === undefined ? preds.shape[classAxis(operation, preds, targets, options.axis)] : 2;
}

/** Refuses a class number that is not one of `classes`. */
export function checkClass(operation: string, kind: string, value: number, classes: number): void {
  if (Number.isInteger(value) && value >= 0 && value < classes) return;
  throw new IndexError(operation, `${kind} ${value} is none of ${classes} classes (0 to ${classes - 1}).`);
}

/** As the axis goes, so do trailing axes of size 1 that targets may have kept. */
function fits(preds: Tensor, targets: Tensor, axis: number): boolean {
  const rest = preds.shape.filter((_, i) => i !== axis);
  const kept = preds.shape.map((size, i) => (i === axis ? 1 : size));
  return sameShape(rest, targets.shape) || sameShape(kept, targets.shape);
}

import { ArgumentError } from "../../backend/errors.ts";
import type { BatchMetric } from "../metrics.ts";
import { type ClassOptions, classAxis } from "./classes.ts";

/**
 * Share of targets among their k largest predictions.
 *
 * Shapes: as `accuracy`.
 *
 * @param k - From 1 to the number of classes.
 * @throws {@link ArgumentError} for another k.
 * @example
 * const preds = tensor([[0.1, 0.5, 0.4], [0.7, 0.2, 0.1]]);
 * topKAccuracy(2)(preds, tensor([2, 2], { dtype: "int32" })); // => 0.5
 */
export function topKAccuracy(k: number, options: ClassOptions = {}): BatchMetric {
  if (!Number.isInteger(k) || k < 1) {
    throw new ArgumentError("topKAccuracy", `k must be a whole number from 1, got ${k}.`);
  }
  return (preds, targets) => {
    const axis = classAxis("topKAccuracy", preds, targets, options.axis);
    if (k > preds.shape[axis]) {
      throw new ArgumentError("topKAccuracy", `k is ${k}, but there are ${preds.shape[axis]} classes.`);
    }
    const { indices } = preds.detach().topk(k, axis);
    const wanted = targets.rank === preds.rank ? targets : targets.unsqueeze(axis);
    return indices.eq(wanted).sum().item() / targets.numel();
  };
}

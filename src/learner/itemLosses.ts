import { stack } from "../tensor/functions.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Learner } from "./learner.ts";

/**
 * The loss of each item of the current batch: by the loss function's own `reduction: "none"` where it has one, else item
 * by item through `getLoss`.
 *
 * Shapes: `[n]`.
 */
export function itemLosses(learn: Learner): Tensor {
  const count = learn.preds.shape[0];
  if (learn._hasPlainLoss) {
    const losses = learn.lossFunction(learn.preds, learn.yb, { reduction: "none" });
    if (losses.rank > 0 && losses.shape[0] === count) {
      return losses.rank === 1 ? losses : losses.reshape([count, -1]).mean(1);
    }
  }
  const { preds, yb } = learn;
  try {
    const losses = Array.from({ length: count }, (_, i) => {
      learn.preds = preds.slice(0, i, i + 1);
      learn.yb = yb.slice(0, i, i + 1);
      return learn.getLoss().reshape([]);
    });
    return stack(losses, 0);
  } finally {
    learn.preds = preds;
    learn.yb = yb;
  }
}

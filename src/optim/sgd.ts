import { ArgumentError } from "../backend/errors.ts";
import type { Params } from "./groups.ts";
import { Optimizer } from "./optimizer.ts";
import { averageGrad, pytorchAverageGrad } from "./stats.ts";
import { l2Regularization, momentumStep, nesterovStep, sgdStep, weightDecay } from "./steppers.ts";

/** Hyper-parameters and variants of {@link sgd}. */
export interface SgdOptions {
  /** Learning rate. */
  readonly lr: number;
  /** Share of the last step that is kept, 0 to 1. Default 0: no state is held. */
  readonly momentum?: number;
  /** Share of a new gradient that the momentum leaves out, 0 to 1; the first counts in full. Default 0. */
  readonly dampening?: number;
  /** Whether to look ahead along the momentum. Default false. */
  readonly nesterov?: boolean;
  /** Strength of the pull towards 0. Default 0. */
  readonly weightDecay?: number;
  /** Whether the decay is kept out of the momentum, as AdamW does. Default false: L2, as PyTorch does. */
  readonly decoupled?: boolean;
}

/**
 * Stochastic gradient descent, with momentum if asked for.
 *
 * @throws {@link ArgumentError} for nesterov or dampening without momentum, and for both together.
 * @see PyTorch: `optim.SGD`.
 * @example
 * const opt = optim.sgd(new nn.Linear(2, 1).parameters(), { lr: 0.1, momentum: 0.9 });
 * opt.paramGroups[0].hypers; // => { lr: 0.1, weightDecay: 0, momentum: 0.9 }
 */
export function sgd(params: Params, options: SgdOptions): Optimizer {
  const { nesterov = false, decoupled = false, ...hypers } = options;
  const isMoving = hypers.momentum !== undefined && hypers.momentum !== 0;
  const isDampened = hypers.dampening !== undefined && hypers.dampening !== 0;
  if (nesterov && isDampened) throw new ArgumentError("sgd", "nesterov and dampening do not go together.");
  if ((nesterov || isDampened) && !isMoving) {
    throw new ArgumentError("sgd", `${nesterov ? "nesterov" : "dampening"} needs a momentum above 0.`);
  }
  const { momentum, dampening, ...still } = hypers;
  const average = isMoving ? [isDampened ? pytorchAverageGrad : averageGrad] : [];
  return new Optimizer(params, {
    name: "SGD",
    stats: [decoupled ? weightDecay : l2Regularization, ...average],
    steppers: [isMoving ? (nesterov ? nesterovStep : momentumStep) : sgdStep],
    hypers: {
      ...still,
      ...(isMoving && momentum !== undefined ? { momentum } : {}),
      ...(isDampened && dampening !== undefined ? { dampening } : {}),
    },
  });
}

import { ArgumentError } from "../backend/errors.ts";
import { Optimizer, type Params } from "./optimizer.ts";
import { averageGrad, dampenedAverageGrad } from "./stats.ts";
import { l2Regularization, momentumStep, nesterovStep, sgdStep, weightDecay } from "./steppers.ts";

/** Hyper-parameters and variants of {@link sgd}. */
export interface SgdOptions {
  /** Learning rate. */
  readonly lr: number;
  /** Share of the last step that is kept, 0 to 1. Default 0: no state is held. */
  readonly momentum?: number;
  /** Whether new gradients count (1 − momentum) only. Default false. */
  readonly dampened?: boolean;
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
 * @throws {@link ArgumentError} for nesterov without momentum.
 * @see PyTorch: `optim.SGD`. Differs: the first dampened step is dampened too.
 * @example
 * optim.sgd(new nn.Linear(2, 1).parameters(), { lr: 0.1, momentum: 0.9 }).paramGroups[0].hypers; // => { lr: 0.1, momentum: 0.9 }
 */
export function sgd(params: Params, options: SgdOptions): Optimizer {
  const { dampened = false, nesterov = false, decoupled = false, ...hypers } = options;
  const moving = hypers.momentum !== undefined && hypers.momentum !== 0;
  if (nesterov && !moving) throw new ArgumentError("sgd", "nesterov needs a momentum above 0.");
  const decay = hypers.weightDecay === undefined ? [] : [decoupled ? weightDecay : l2Regularization];
  const average = moving ? [dampened ? dampenedAverageGrad : averageGrad] : [];
  const { momentum: _, ...still } = hypers;
  return new Optimizer(params, {
    name: "SGD",
    stats: [...decay, ...average],
    steppers: [moving ? (nesterov ? nesterovStep : momentumStep) : sgdStep],
    hypers: moving ? hypers : still,
  });
}

import { Optimizer, type Params } from "./optimizer.ts";
import { averageSquareGrad, dampenedAverageGrad } from "./stats.ts";
import { adamStep, l2Regularization, weightDecay } from "./steppers.ts";

/** Hyper-parameters of {@link adam} and {@link adamW}. */
export interface AdamOptions {
  /** Learning rate. */
  readonly lr: number;
  /** Memory of the gradients' average (β₁), 0 to 1. Default 0.9. */
  readonly momentum?: number;
  /** Memory of the squares' average (β₂), 0 to 1. Default 0.999. */
  readonly squareMomentum?: number;
  /** Keeps the division from 0. Default 1e-8. */
  readonly eps?: number;
  /** Strength of the pull towards 0. Default 0; 0.01 for adamW. */
  readonly weightDecay?: number;
}

/**
 * Adam; weight decay is L2, part of the gradient.
 *
 * @see Kingma and Ba 2014, https://arxiv.org/abs/1412.6980; PyTorch: `optim.Adam`.
 */
export function adam(params: Params, options: AdamOptions): Optimizer {
  return new Optimizer(params, {
    name: "Adam",
    stats: [l2Regularization, dampenedAverageGrad, averageSquareGrad],
    steppers: [adamStep],
    hypers: { ...options },
  });
}

/**
 * Adam with decoupled weight decay.
 *
 * @see Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101; PyTorch: `optim.AdamW`.
 */
export function adamW(params: Params, options: AdamOptions): Optimizer {
  return new Optimizer(params, {
    name: "AdamW",
    stats: [dampenedAverageGrad, averageSquareGrad],
    steppers: [weightDecay, adamStep],
    hypers: { weightDecay: 0.01, ...options },
  });
}

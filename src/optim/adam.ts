import { call } from "../backend/expr.ts";
import { add, div, mul, sub } from "../tensor/ops/derivative.ts";
import type { Params } from "./groups.ts";
import { Optimizer } from "./optimizer.ts";
import type { Rule } from "./rule.ts";
import { averageSquareGrad, dampenedAverageGrad } from "./stats.ts";
import { adamStep, l2Regularization, leftOver, rootCorrection, weightDecay } from "./steppers.ts";

/** Hyper-parameters of {@link adam}, {@link adamW} and {@link radam}. */
export interface AdamOptions {
  /** Learning rate. */
  readonly lr: number;
  /** Memory of the gradients' average (β₁), 0 to below 1. Default 0.9. */
  readonly momentum?: number;
  /** Memory of the squares' average (β₂), 0 to below 1. Default 0.999. */
  readonly squareMomentum?: number;
  /** Keeps the division from 0. Default 1e-8. */
  readonly eps?: number;
  /** Strength of the pull towards 0. Default 0; 0.01 for adamW. */
  readonly weightDecay?: number;
}

/** Options of {@link radam}. */
export interface RAdamOptions extends AdamOptions {
  /** Whether the decay is kept out of the averages, as in AdamW. Default false: L2, part of the gradient. */
  readonly decoupled?: boolean;
}

/**
 * Adam; weight decay is L2, part of the gradient.
 *
 * @see Kingma and Ba 2014, https://arxiv.org/abs/1412.6980; PyTorch: `optim.Adam`.
 * @example
 * optim.adam(new nn.Linear(2, 1).parameters(), { lr: 1e-3 }).stateDict().tensors.size; // => 0
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

/**
 * Adam that starts as momentum, until enough squares were seen for their average to be trusted, and is held back in the
 * measure of its uncertainty from there on.
 *
 * @see Liu et al. 2019, https://arxiv.org/abs/1908.03265; PyTorch: `optim.RAdam`.
 */
export function radam(params: Params, { decoupled = false, ...hypers }: RAdamOptions): Optimizer {
  return new Optimizer(params, {
    name: "RAdam",
    stats: [decoupled ? weightDecay : l2Regularization, dampenedAverageGrad, averageSquareGrad],
    steppers: [radamStep],
    hypers,
  });
}

/** p ← p − lr·m̂·r/(√v + eps)·√(1 − β₂ᵗ), r being the rectification; p ← p − lr·m̂ while the variance is unknown. */
export const radamStep: Rule = {
  defaults: { momentum: 0.9, squareMomentum: 0.999, eps: 1e-8 },
  apply: ({ p, average, squareAverage, lr, momentum, squareMomentum, eps, step }) => {
    const limit = sub(div(2, sub(1, squareMomentum)), 1); // ρ∞
    const decayed = call("pow", squareMomentum, step);
    const length = sub(limit, div(mul(mul(2, step), decayed), sub(1, decayed))); // ρₜ
    const now = mul(mul(sub(length, 4), sub(length, 2)), limit);
    const end = mul(mul(sub(limit, 4), sub(limit, 2)), length);
    const factor = div(call("sqrt", div(now, end)), rootCorrection(squareMomentum, step));
    const adaptive = div(factor, add(call("sqrt", squareAverage), eps));
    const scale = call("where", call("less", 5, length), adaptive, 1);
    return { p: sub(p, mul(mul(div(lr, leftOver(momentum, step)), average), scale)) };
  },
};

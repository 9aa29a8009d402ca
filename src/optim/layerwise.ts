import { call, type Expr } from "../backend/expr.ts";
import { add, div, mul, sub } from "../tensor/ops/derivative.ts";
import type { Params } from "./groups.ts";
import { Optimizer } from "./optimizer.ts";
import type { Rule, Values } from "./rule.ts";
import { averageSquareGrad, dampenedAverageGrad } from "./stats.ts";
import { leftOver, rootCorrection } from "./steppers.ts";

/** Hyper-parameters of {@link lamb}. */
export interface LambOptions {
  /** Learning rate. */
  readonly lr: number;
  /** Memory of the gradients' average (β₁), 0 to below 1. Default 0.9. */
  readonly momentum?: number;
  /** Memory of the squares' average (β₂), 0 to below 1. Default 0.999. */
  readonly squareMomentum?: number;
  /** Keeps the division from 0. Default 1e-6. */
  readonly eps?: number;
  /** Strength of the pull towards 0, part of the step. Default 0. */
  readonly weightDecay?: number;
  /** The most a step may be lengthened. Default 10. */
  readonly maxRatio?: number;
}

/** Hyper-parameters of {@link lars}. */
export interface LarsOptions {
  /** Learning rate. */
  readonly lr: number;
  /** Share of the last step that is kept, 0 to 1. Default 0.9. */
  readonly momentum?: number;
  /** Strength of the pull towards 0, part of the gradient. Default 0. */
  readonly weightDecay?: number;
  /** Length of a step in lengths of the parameter (η), for lr 1. Default 0.001. */
  readonly trust?: number;
}

/**
 * Adam whose step over each parameter tensor is as long as the parameter, times lr: for large batches.
 *
 * @see You et al. 2019, https://arxiv.org/abs/1904.00962, algorithm 2. Differs: where the parameter or the step is 0
 * throughout, the step keeps its own length, so that parameters that start at 0 do move.
 * @example
 * const bias = zeros([2], { requiresGrad: true });
 * bias.sum().backward();
 * optim.lamb([bias], { lr: 0.5, eps: 0 }).step();
 * bias.toArray(); // => [-0.5, -0.5]
 */
export function lamb(params: Params, options: LambOptions): Optimizer {
  return new Optimizer(params, {
    name: "LAMB",
    stats: [dampenedAverageGrad, averageSquareGrad],
    steppers: [lambStep],
    hypers: { ...options },
  });
}

/**
 * Momentum whose gradients are scaled, for each parameter tensor, to a fixed share of the parameter's length.
 *
 * @see You et al. 2017, https://arxiv.org/abs/1708.03888, algorithm 1. Differs: where the parameter or the gradient is 0
 * throughout, the gradient is not scaled, so that parameters that start at 0 do move.
 */
export function lars(params: Params, options: LarsOptions): Optimizer {
  return new Optimizer(params, { name: "LARS", steppers: [larsStep], hypers: { ...options } });
}

/** p ← p − lr·min(‖p‖/‖d‖, maxRatio)·d, with d = m̂/(√v̂ + eps) + weightDecay·p. */
export const lambStep: Rule = {
  defaults: { momentum: 0.9, squareMomentum: 0.999, eps: 1e-6, weightDecay: 0, maxRatio: 10 },
  norms: (values) => ({ length: values["p"], stride: lambDirection(values) }),
  apply: (values) => {
    const { p, lr, length, stride, maxRatio } = values;
    const ratio = unlessZero(length, stride, call("min", div(length, stride), maxRatio));
    return { p: sub(p, mul(mul(lr, ratio), lambDirection(values))) };
  },
};

/** velocity ← momentum·velocity + lr·λ·(g + weightDecay·p), with λ = trust·‖p‖/(‖g‖ + weightDecay·‖p‖); p ← p − velocity. */
export const larsStep: Rule = {
  defaults: { momentum: 0.9, weightDecay: 0, trust: 0.001 },
  state: ["velocity"],
  norms: ({ p, g }) => ({ length: p, slope: g }),
  apply: ({ p, g, velocity, lr, momentum, weightDecay, trust, length, slope }) => {
    const local = div(mul(trust, length), add(slope, mul(weightDecay, length)));
    const gradient = mul(add(g, mul(weightDecay, p)), mul(lr, unlessZero(length, slope, local)));
    const moved = add(mul(momentum, velocity), gradient);
    return { velocity: moved, p: sub(p, moved) };
  },
};

function lambDirection({ p, average, squareAverage, momentum, squareMomentum, eps, weightDecay, step }: Values): Expr {
  const root = mul(call("sqrt", squareAverage), rootCorrection(squareMomentum, step));
  return add(div(mul(average, div(1, leftOver(momentum, step))), add(root, eps)), mul(weightDecay, p));
}

/** A ratio of lengths, or 1 where one of them is 0. */
function unlessZero(a: Expr, b: Expr, ratio: Expr): Expr {
  return call("where", mul(a, b), ratio, 1);
}

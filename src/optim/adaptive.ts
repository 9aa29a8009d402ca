import { call } from "../backend/expr.ts";
import { add, div, mul, sub } from "../tensor/ops/derivative.ts";
import type { Params } from "./groups.ts";
import { Optimizer } from "./optimizer.ts";
import type { Rule } from "./rule.ts";
import { averageSquareGrad, movingAverage, sumSquareGrad } from "./stats.ts";
import { l2Regularization, sgdStep } from "./steppers.ts";

/** Hyper-parameters and variants of {@link rmsProp}. */
export interface RmsPropOptions {
  /** Learning rate. */
  readonly lr: number;
  /** Memory of the squares' average (α), 0 to 1. Default 0.99. */
  readonly squareMomentum?: number;
  /** Keeps the division from 0. Default 1e-8. */
  readonly eps?: number;
  /** Share of the last step that is kept, 0 to 1. Default 0: no state is held for it. */
  readonly momentum?: number;
  /** Whether to divide by the deviation instead of the root mean square. Default false. */
  readonly centered?: boolean;
  /** Strength of the pull towards 0, as part of the gradient. Default 0. */
  readonly weightDecay?: number;
}

/** Hyper-parameters of {@link adagrad}. */
export interface AdagradOptions {
  /** Learning rate. */
  readonly lr: number;
  /** How fast the learning rate falls: it is lr/(1 + (step − 1)·lrDecay). Default 0. */
  readonly lrDecay?: number;
  /** Keeps the division from 0. Default 1e-10. */
  readonly eps?: number;
  /** Strength of the pull towards 0, as part of the gradient. Default 0. */
  readonly weightDecay?: number;
}

/** Hyper-parameters of {@link adadelta}. */
export interface AdadeltaOptions {
  /** Learning rate. Usually 1. */
  readonly lr: number;
  /** Memory of both averages of squares (ρ), 0 to 1. Default 0.9. */
  readonly squareMomentum?: number;
  /** Keeps the division from 0, and the first steps from being 0. Default 1e-6. */
  readonly eps?: number;
  /** Strength of the pull towards 0, as part of the gradient. Default 0. */
  readonly weightDecay?: number;
}

/**
 * Divides gradients by the root mean square of the recent ones.
 *
 * @see Hinton 2012, lecture 6 of the course on neural networks; PyTorch: `optim.RMSprop`. Differs: a variance that
 * rounding makes negative counts as 0.
 * @example
 * const model = new nn.Linear(2, 1);
 * optim.rmsProp(model.parameters(), { lr: 0.01, momentum: 0.9, centered: true }).name; // => "RMSProp"
 */
export function rmsProp(params: Params, { centered = false, momentum = 0, ...hypers }: RmsPropOptions): Optimizer {
  const isMoving = momentum !== 0;
  return new Optimizer(params, {
    name: "RMSProp",
    stats: [
      l2Regularization,
      averageSquareGrad,
      centered ? centeredScaling : rootScaling,
      ...(isMoving ? [velocity] : []),
    ],
    steppers: [isMoving ? velocityStep : sgdStep],
    hypers: { squareMomentum: 0.99, ...hypers, ...(isMoving ? { momentum } : {}) },
  });
}

/**
 * Divides gradients by the root of the sum of all squares so far.
 *
 * @see Duchi et al. 2011, https://jmlr.org/papers/v12/duchi11a.html; PyTorch: `optim.Adagrad`.
 */
export function adagrad(params: Params, options: AdagradOptions): Optimizer {
  return new Optimizer(params, {
    name: "Adagrad",
    stats: [l2Regularization, sumSquareGrad],
    steppers: [adagradStep],
    hypers: { ...options },
  });
}

/**
 * Divides gradients by the root mean square of the recent ones and multiplies them by that of the recent steps.
 *
 * @see Zeiler 2012, https://arxiv.org/abs/1212.5701; PyTorch: `optim.Adadelta`.
 */
export function adadelta(params: Params, options: AdadeltaOptions): Optimizer {
  return new Optimizer(params, {
    name: "Adadelta",
    stats: [l2Regularization, averageSquareGrad],
    steppers: [adadeltaStep],
    hypers: { squareMomentum: 0.9, ...options },
  });
}

/** g ← g / (√squareAverage + eps). */
const rootScaling: Rule = {
  defaults: { eps: 1e-8 },
  apply: ({ g, squareAverage, eps }) => ({ g: div(g, add(call("sqrt", squareAverage), eps)) }),
};

/** g ← g / (deviation + eps), the deviation being √(squareAverage − average²). */
const centeredScaling: Rule = {
  defaults: { squareMomentum: 0.99, eps: 1e-8 },
  state: ["average"],
  apply: ({ g, average, squareAverage, squareMomentum, eps }) => {
    const mean = movingAverage(average, squareMomentum, g);
    const variance = call("max", sub(squareAverage, mul(mean, mean)), 0);
    return { average: mean, g: div(g, add(call("sqrt", variance), eps)) };
  },
};

/** velocity ← momentum·velocity + g. */
const velocity: Rule = {
  defaults: { momentum: 0.9 },
  state: ["velocity"],
  apply: ({ velocity: v, momentum, g }) => ({ velocity: add(mul(momentum, v), g) }),
};

/** p ← p − lr·velocity. */
const velocityStep: Rule = {
  defaults: {},
  apply: ({ p, velocity: v, lr }) => ({ p: sub(p, mul(lr, v)) }),
};

/** p ← p − lr/(1 + (step − 1)·lrDecay) · g/(√squareSum + eps). */
const adagradStep: Rule = {
  defaults: { lrDecay: 0, eps: 1e-10 },
  apply: ({ p, g, squareSum, lr, lrDecay, eps, step }) => {
    const rate = div(lr, add(1, mul(sub(step, 1), lrDecay)));
    return { p: sub(p, mul(rate, div(g, add(call("sqrt", squareSum), eps)))) };
  },
};

/** p ← p − lr·δ, with δ = g·√(squareSteps + eps)/√(squareAverage + eps); squareSteps is the average of the δ². */
const adadeltaStep: Rule = {
  defaults: { squareMomentum: 0.9, eps: 1e-6 },
  state: ["squareSteps"],
  apply: ({ p, g, squareAverage, squareSteps, squareMomentum, lr, eps }) => {
    const delta = mul(div(call("sqrt", add(squareSteps, eps)), call("sqrt", add(squareAverage, eps))), g);
    return { p: sub(p, mul(lr, delta)), squareSteps: movingAverage(squareSteps, squareMomentum, mul(delta, delta)) };
  },
};

import { call, type Expr } from "../backend/expr.ts";
import { add, div, mul, sub } from "../tensor/ops/derivative.ts";
import type { Rule } from "./rule.ts";

/** p ← p − lr·g. */
export const sgdStep: Rule = {
  defaults: {},
  apply: ({ p, g, lr }) => ({ p: sub(p, mul(lr, g)) }),
};

/**
 * p ← p·(1 − lr·weightDecay), decoupled from the gradient.
 *
 * @see Loshchilov and Hutter 2017, https://arxiv.org/abs/1711.05101.
 */
export const weightDecay: Rule = {
  defaults: { weightDecay: 0 },
  apply: ({ p, lr, weightDecay: wd }) => ({ p: mul(p, sub(1, mul(lr, wd))) }),
};

/** g ← g + weightDecay·p: the gradient of ½·weightDecay·‖p‖². */
export const l2Regularization: Rule = {
  defaults: { weightDecay: 0 },
  apply: ({ p, g, weightDecay: wd }) => ({ g: add(g, mul(wd, p)) }),
};

/** p ← p − lr·average. */
export const momentumStep: Rule = {
  defaults: {},
  apply: ({ p, average, lr }) => ({ p: sub(p, mul(lr, average)) }),
};

/** p ← p − lr·(g + momentum·average). @see Nesterov momentum as PyTorch's SGD has it. */
export const nesterovStep: Rule = {
  defaults: { momentum: 0.9 },
  apply: ({ p, g, average, lr, momentum }) => ({ p: sub(p, mul(lr, add(g, mul(momentum, average)))) }),
};

/**
 * p ← p − lr·m̂ / (√v̂ + eps), m̂ and v̂ being the averages without their bias towards the zeros they started from.
 *
 * @see Kingma and Ba 2014, https://arxiv.org/abs/1412.6980.
 */
export const adamStep: Rule = {
  defaults: { momentum: 0.9, squareMomentum: 0.999, eps: 1e-8 },
  apply: ({ p, average, squareAverage, lr, momentum, squareMomentum, eps, step }) => {
    const scale = add(mul(call("sqrt", squareAverage), rootCorrection(squareMomentum, step)), eps);
    return { p: sub(p, mul(div(lr, leftOver(momentum, step)), div(average, scale))) };
  },
};

/** 1 − memory^step: the sum of the weights in a moving average that started at 0. */
export function leftOver(memory: Expr, step: Expr): Expr {
  return sub(1, call("pow", memory, step));
}

/** What the root of a moving average that started at 0 is multiplied with to undo its bias. */
export function rootCorrection(memory: Expr, step: Expr): Expr {
  return call("rsqrt", leftOver(memory, step));
}

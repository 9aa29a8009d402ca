import type { Expr } from "../backend/expr.ts";

/**
 * Scalar expressions by name: `p` the parameter, `g` its gradient, state, hyper-parameters, and `step`, the number of the
 * step that is being taken, from 1.
 */
export type Values = Readonly<Record<string, Expr>>;

/** Hyper-parameters by name. */
export type Hypers = Record<string, number>;

/**
 * A small pure piece of an optimizer, written for one number: it reads values and returns those it changes.
 * All pieces of an optimizer become one fused kernel over all parameters; what depends on hyper-parameters and the step
 * only is worked out once a step, in double precision.
 *
 * A *stat* keeps state, such as a running average of gradients; a *stepper* changes `g` or `p`.
 *
 * @see fastai: steppers and stats of `Optimizer`.
 * @example
 * const signStep: optim.Rule = {
 *   defaults: {},
 *   apply: ({ p, g, lr }) => ({ p: expr.sub(p, expr.mul(lr, expr.sign(g))) }),
 * };
 * const w = tensor([3], { requiresGrad: true });
 * w.mul(8).sum().backward();
 * new optim.Optimizer([w], { steppers: [signStep], hypers: { lr: 0.5 } }).step();
 * w.item(); // => 2.5
 */
export interface Rule {
  /** Hyper-parameters it reads, with their defaults; `lr` is always there. */
  readonly defaults: Readonly<Hypers>;
  /** State it keeps per parameter, each starting at 0. */
  readonly state?: readonly string[];
  /**
   * Values whose length √Σx² over the whole parameter `apply` reads under the same names. They split the optimizer: all
   * rules before are carried out, then the lengths are taken, then the rest runs; only `p`, `g` and state live on.
   */
  readonly norms?: (values: Values) => Values;
  /** New values of what it changes; other names it returns can be read by the rules after it. */
  readonly apply: (values: Values) => Values;
}

import type { Expr } from "../backend/expr.ts";

/** Scalar expressions by name: `p` the parameter, `g` its gradient, state, and hyper-parameters. */
export type Values = Readonly<Record<string, Expr>>;

/** Hyper-parameters by name. */
export type Hypers = Record<string, number>;

/**
 * A small pure piece of an optimizer, written for one number: it reads values and returns those it changes.
 * All pieces of an optimizer become one fused kernel over all parameters.
 *
 * A *stat* keeps state, such as a running average of gradients; a *stepper* changes `g` or `p`.
 *
 * @see fastai: steppers and stats of `Optimizer`.
 */
export interface Rule {
  /** Hyper-parameters it reads, with their defaults; `lr` is always there. */
  readonly defaults: Readonly<Hypers>;
  /** State it keeps per parameter, each starting at 0. */
  readonly state?: readonly string[];
  /** Further numbers it reads, worked out from the hyper-parameters and the number of steps so far (from 1). */
  readonly derived?: (hypers: Readonly<Hypers>, step: number) => Hypers;
  /** New values of what it changes. */
  readonly apply: (values: Values) => Values;
}

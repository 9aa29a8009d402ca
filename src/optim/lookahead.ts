import { ArgumentError } from "../backend/errors.ts";
import { call } from "../backend/expr.ts";
import { add, mul, sub } from "../tensor/ops/derivative.ts";
import { type RAdamOptions, radam } from "./adam.ts";
import type { Params } from "./groups.ts";
import { Optimizer, type OptimizerFactory } from "./optimizer.ts";
import type { Rule } from "./rule.ts";

/** How far and how often {@link lookahead} follows. */
export interface LookaheadOptions {
  /** Steps from one synchronisation to the next (k), from 1. Default 6. */
  readonly syncSteps?: number;
  /** How far the slow weights go towards the fast ones (α), 0 to 1. Default 0.5. */
  readonly syncRate?: number;
}

/** Options of {@link ranger}. */
export interface RangerOptions extends RAdamOptions, LookaheadOptions {}

/**
 * Wraps an optimizer: a slow copy of the weights follows it every few steps, part of the way, and the weights go on from
 * there.
 *
 * @throws {@link ArgumentError} when `syncSteps` is not a whole number from 1.
 * @see Zhang et al. 2019, https://arxiv.org/abs/1907.08610. Differs: steps are counted for each parameter, from its first
 * gradient on.
 * @example
 * const careful = optim.lookahead(optim.adam, { syncSteps: 5 });
 * careful(new nn.Linear(2, 1).parameters(), { lr: 0.1 }).name; // => "Lookahead(Adam)"
 */
export function lookahead(factory: OptimizerFactory, options: LookaheadOptions = {}): OptimizerFactory {
  const { syncSteps = 6, syncRate = 0.5 } = options;
  if (!Number.isSafeInteger(syncSteps) || syncSteps < 1) {
    throw new ArgumentError("lookahead", `syncSteps must be a whole number from 1, got ${syncSteps}.`);
  }
  return (params, hypers) => {
    const inner = factory(params, hypers);
    return new Optimizer(
      inner.paramGroups.map((group) => ({ ...group.hypers, params: group.params })),
      {
        name: `Lookahead(${inner.name})`,
        steppers: [startSlow, ...inner.rules, syncSlow],
        hypers: { syncSteps, syncRate },
      },
    );
  };
}

/**
 * RAdam with {@link lookahead}.
 *
 * @see Wright 2019, https://github.com/lessw2020/Ranger-Deep-Learning-Optimizer.
 */
export function ranger(params: Params, { syncSteps = 6, syncRate = 0.5, ...options }: RangerOptions): Optimizer {
  const inner: OptimizerFactory = (list, { lr }) => radam(list, { ...options, lr });
  return lookahead(inner, { syncSteps, syncRate })(params, { lr: options.lr });
}

/** slow starts as the parameter before its first step. */
const startSlow: Rule = {
  defaults: {},
  state: ["slow"],
  apply: ({ p, slow, step }) => ({ slow: call("where", call("equal", step, 1), p, slow) }),
};

/** Every `syncSteps` steps: slow ← slow + syncRate·(p − slow); p ← slow. */
const syncSlow: Rule = {
  defaults: { syncSteps: 6, syncRate: 0.5 },
  apply: ({ p, slow, step, syncSteps, syncRate }) => {
    const isDue = call("equal", call("remainder", step, syncSteps), 0);
    const moved = add(slow, mul(syncRate, sub(p, slow)));
    return { p: call("where", isDue, moved, p), slow: call("where", isDue, moved, slow) };
  },
};

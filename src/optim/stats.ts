import { call, type Expr } from "../backend/expr.ts";
import { add, mul, sub } from "../tensor/ops/derivative.ts";
import type { Rule } from "./rule.ts";

/** average ← momentum·average + g. */
export const averageGrad: Rule = {
  defaults: { momentum: 0.9 },
  state: ["average"],
  apply: ({ average, momentum, g }) => ({ average: add(mul(momentum, average), g) }),
};

/** average ← momentum·average + (1 − momentum)·g. */
export const dampenedAverageGrad: Rule = {
  defaults: { momentum: 0.9 },
  state: ["average"],
  apply: ({ average, momentum, g }) => ({ average: movingAverage(average, momentum, g) }),
};

/** average ← momentum·average + (1 − dampening)·g, but all of the first g. @see PyTorch: `dampening` of `optim.SGD`. */
export const pytorchAverageGrad: Rule = {
  defaults: { momentum: 0.9, dampening: 0 },
  state: ["average"],
  apply: ({ average, momentum, dampening, g, step }) => ({
    average: add(mul(momentum, average), mul(call("where", call("equal", step, 1), 1, sub(1, dampening)), g)),
  }),
};

/** squareAverage ← squareMomentum·squareAverage + (1 − squareMomentum)·g². */
export const averageSquareGrad: Rule = {
  defaults: { squareMomentum: 0.999 },
  state: ["squareAverage"],
  apply: ({ squareAverage, squareMomentum, g }) => ({
    squareAverage: movingAverage(squareAverage, squareMomentum, mul(g, g)),
  }),
};

/** squareSum ← squareSum + g². */
export const sumSquareGrad: Rule = {
  defaults: {},
  state: ["squareSum"],
  apply: ({ squareSum, g }) => ({ squareSum: add(squareSum, mul(g, g)) }),
};

/** memory·average + (1 − memory)·x. */
export function movingAverage(average: Expr, memory: Expr, x: Expr): Expr {
  return add(mul(memory, average), mul(sub(1, memory), x));
}

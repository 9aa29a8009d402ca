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
  apply: ({ average, momentum, g }) => ({ average: add(mul(momentum, average), mul(sub(1, momentum), g)) }),
};

/** squareAverage ← squareMomentum·squareAverage + (1 − squareMomentum)·g². */
export const averageSquareGrad: Rule = {
  defaults: { squareMomentum: 0.999 },
  state: ["squareAverage"],
  apply: ({ squareAverage, squareMomentum, g }) => ({
    squareAverage: add(mul(squareMomentum, squareAverage), mul(mul(sub(1, squareMomentum), g), g)),
  }),
};

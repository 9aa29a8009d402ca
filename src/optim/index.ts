export { type AdamOptions, adam, adamW } from "./adam.ts";
export {
  Optimizer,
  type OptimizerFactory,
  type OptimizerOptions,
  type OptimizerState,
  type ParamGroup,
  type ParamGroupSpec,
  type Params,
} from "./optimizer.ts";
export type { Hypers, Rule, Values } from "./rule.ts";
export { type SgdOptions, sgd } from "./sgd.ts";
export { averageGrad, averageSquareGrad, dampenedAverageGrad } from "./stats.ts";
export { adamStep, l2Regularization, momentumStep, nesterovStep, sgdStep, weightDecay } from "./steppers.ts";

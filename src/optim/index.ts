export { type AdamOptions, adam, adamW, type RAdamOptions, radam, radamStep } from "./adam.ts";
export {
  type AdadeltaOptions,
  type AdagradOptions,
  adadelta,
  adagrad,
  type RmsPropOptions,
  rmsProp,
} from "./adaptive.ts";
export { type ClipGradNormOptions, clipGradNorm, clipGradValue, scaleGrads } from "./gradients.ts";
export type { ParamGroup, ParamGroupSpec, Params } from "./groups.ts";
export { type LambOptions, type LarsOptions, lamb, lambStep, lars, larsStep } from "./layerwise.ts";
export { type LookaheadOptions, lookahead, type RangerOptions, ranger } from "./lookahead.ts";
export {
  Optimizer,
  type OptimizerFactory,
  type OptimizerOptions,
  type OptimizerState,
} from "./optimizer.ts";
export type { Hypers, Rule, Values } from "./rule.ts";
export { type Schedule, schedCos, schedExp, schedLin, schedNo, schedPoly } from "./schedules/annealers.ts";
export { cos1cycle, cos1cycleAnneal, schedMultiStep, schedRestarts, schedStep, warmUp } from "./schedules/cycles.ts";
export { combineScheds, createPhases } from "./schedules/phases.ts";
export { type SgdOptions, sgd } from "./sgd.ts";
export { averageGrad, averageSquareGrad, dampenedAverageGrad, pytorchAverageGrad, sumSquareGrad } from "./stats.ts";
export { adamStep, l2Regularization, momentumStep, nesterovStep, sgdStep, weightDecay } from "./steppers.ts";

export type { Callback, Event, Events, Json } from "./callback.ts";
export {
  ActivationStats,
  type ActivationStatsOptions,
  type LayerActivations,
} from "./callbacks/activationStats.ts";
export { type BatchFunction, BatchTransform, type BatchTransformOptions } from "./callbacks/batchTransform.ts";
export { Checkpoint, type CheckpointOptions } from "./callbacks/checkpoint.ts";
export { CsvLogger } from "./callbacks/csvLogger.ts";
export { Debug } from "./callbacks/debug.ts";
export { DeviceMover } from "./callbacks/device.ts";
export { EarlyStopping, type EarlyStoppingOptions } from "./callbacks/earlyStopping.ts";
export { GradientAccumulation } from "./callbacks/gradientAccumulation.ts";
export { GradientClip, type GradientClipOptions } from "./callbacks/gradientClip.ts";
export {
  GradientStats,
  type GradientStatsOptions,
  type ParameterStats,
  type TensorStats,
} from "./callbacks/gradientStats.ts";
export { JsonlLogger } from "./callbacks/jsonlLogger.ts";
export type { LineFileOptions } from "./callbacks/lineFile.ts";
export { LrFinder, type LrFindOptions, LrFindResult } from "./callbacks/lrFinder.ts";
export { MetricsCallback } from "./callbacks/metrics.ts";
export type { ModuleTime } from "./callbacks/moduleTimer.ts";
export type { MonitorOptions } from "./callbacks/monitor.ts";
export { OneCycle, type OneCycleOptions } from "./callbacks/oneCycle.ts";
export { ParamScheduler, type Schedules } from "./callbacks/paramScheduler.ts";
export { type PassProfile, Profiler, type ProfilerOptions } from "./callbacks/profiler.ts";
export { Progress, type ProgressOptions } from "./callbacks/progress.ts";
export { type EpochRecord, type Figures, Recorder } from "./callbacks/recorder.ts";
export { ReduceLrOnPlateau, type ReduceLrOnPlateauOptions } from "./callbacks/reduceLrOnPlateau.ts";
export { SaveBest, type SaveBestOptions } from "./callbacks/saveBest.ts";
export { OverfitOneBatch, SingleBatch } from "./callbacks/singleBatch.ts";
export { TensorBoard, type TensorBoardOptions } from "./callbacks/tensorBoard.ts";
export { TerminateOnNan } from "./callbacks/terminateOnNan.ts";
export {
  Cancel,
  CancelBackward,
  CancelBatch,
  CancelEpoch,
  CancelFit,
  CancelPass,
  CancelStep,
  type Phase,
} from "./cancel.ts";
export { type TrainingContext, trainingContext } from "./dispatch.ts";
export { type ExportOptions, loadLearner, type NamedTransform, Predictor, type TransformMaker } from "./export.ts";
export type { FineTuneOptions, FitFlatCosOptions, FitOneCycleOptions } from "./fitPolicies.ts";
export type { Preds, PredsOptions } from "./inference.ts";
export { abortOnInterrupt } from "./interrupt.ts";
export {
  type FitOptions,
  Learner,
  type LearnerOptions,
  type LoaderPair,
  type LossFunction,
  type Splitter,
  type TensorLoader,
} from "./learner.ts";
export type { ClassOptions, TwoClassOptions } from "./metrics/classes.ts";
export { ConfusionMatrix, type CountingOptions } from "./metrics/confusionMatrix.ts";
export { meanAbsoluteError, meanSquaredError, Perplexity, RootMeanSquaredError } from "./metrics/means.ts";
export { type ClassScoreOptions, Dice, F1, Precision, Recall } from "./metrics/precisionRecall.ts";
export { topKAccuracy } from "./metrics/topK.ts";
export {
  accuracy,
  averaged,
  type BatchMetric,
  MeanMetric,
  type Metric,
  type MetricBatch,
  meanLoss,
} from "./metrics.ts";
export { MomentumLearner, type MomentumLearnerOptions } from "./momentumLearner.ts";
export { type RepeatRunsOptions, RunReport, type RunSummary, repeatRuns } from "./repeatRuns.ts";
export {
  type AugmentationOptions,
  type DropoutOptions,
  type DropoutPreds,
  TestTimeDropout,
  testTimeAugmentation,
  testTimeDropout,
} from "./testTime.ts";

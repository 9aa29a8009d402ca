export { type Callback, type Event, type Events, type Json } from "./callback.ts";
export { MetricsCallback } from "./callbacks/metrics.ts";
export { Progress, type ProgressOptions } from "./callbacks/progress.ts";
export { type EpochRecord, type Figures, Recorder } from "./callbacks/recorder.ts";
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
export {
  type FitOptions,
  Learner,
  type LearnerOptions,
  type LoaderPair,
  type LossFunction,
  type Splitter,
  type TensorLoader,
} from "./learner.ts";
export { accuracy, averaged, type BatchMetric, type Metric, type MetricBatch, MeanMetric, meanLoss } from "./metrics.ts";
export type { ClassOptions, TwoClassOptions } from "./metrics/classes.ts";
export { ConfusionMatrix, type CountingOptions } from "./metrics/confusionMatrix.ts";
export { meanAbsoluteError, meanSquaredError, Perplexity, RootMeanSquaredError } from "./metrics/means.ts";
export { type ClassScoreOptions, Dice, F1, Precision, Recall } from "./metrics/precisionRecall.ts";
export { topKAccuracy } from "./metrics/topKAccuracy.ts";

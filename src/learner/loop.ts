import { yieldToEvents } from "#platform";
import { DataLoader } from "../data/loader.ts";
import { enableGrad, noGrad } from "../tensor/autograd/mode.ts";
import { getRandomState } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { CancelFit } from "./cancel.ts";
import type { Learner } from "./learner.ts";
import type { FitOptions, TensorLoader } from "./options.ts";
import type { Point, Resumed } from "./resume.ts";
import { type Steps, wait } from "./steps.ts";

/** The longest the event loop waits for its turn while batches are short, in milliseconds. */
const turn = 8;

/** A fit: epochs, each a training and a validation pass; it may go on where a checkpoint stands. */
export function* runFit(learn: Learner, { train = true, valid = true }: FitOptions, resumed?: Resumed): Steps<void> {
  const { training } = learn.model;
  try {
    if (resumed?.ended === undefined) {
      yield* learn._dispatcher.phase("fit", () => runEpochs(learn, train, valid, resumed));
    } else {
      learn.epoch = resumed.point.epoch;
      resumed.restore();
      learn.stopReason = resumed.ended;
    }
  } finally {
    learn.model.train(training);
    learn.training = false;
  }
}

/** One pass over a loader. */
export function* runPass(learn: Learner, loader: TensorLoader, training: boolean, resumed?: Resumed): Steps<void> {
  learn.training = training;
  learn.iteration = resumed?.point.iteration ?? 0;
  learn.iterations = loader.length;
  learn.model.train(training);
  learn._recheckOptimizer();
  yield* learn._dispatcher.phase("pass", () => runBatches(learn, loader, resumed));
}

/** One batch. Whatever ends it early, its part of the gradients does not get into the next one. */
export function* runBatch(learn: Learner, batch: readonly Tensor[]): Steps<void> {
  const { training, _point: point, _signal: signal } = learn;
  if (training) reach(point, learn.epoch, "training", learn.iteration);
  if (signal?.aborted === true) throw new CancelFit(reasonOf(signal));
  if (training) point.random = getRandomState();
  learn._batch = batch;
  learn._isBatchSeen = false;
  learn._xb = batch[0];
  learn._yb = batch.at(-1);
  learn._hasPartialGradients = false;
  try {
    yield* learn._dispatcher.phase("batch", () => runForward(learn));
  } finally {
    if (learn._hasPartialGradients) learn.optimizer.zeroGrad();
  }
}

function* runEpochs(learn: Learner, train: boolean, valid: boolean, resumed: Resumed | undefined): Steps<void> {
  const point = resumed?.point;
  if (point?.stage === "epoch") resumed?.restore();
  for (learn.epoch = point?.epoch ?? 0; learn.epoch < learn.epochs; learn.epoch++) {
    const isEntry = learn.epoch === point?.epoch && point.stage !== "epoch";
    reach(learn._point, learn.epoch, "epoch");
    yield* learn._dispatcher.phase("epoch", () => runEpoch(learn, train, valid, isEntry ? resumed : undefined));
  }
  reach(learn._point, learn.epochs, "epoch");
}

function* runEpoch(learn: Learner, train: boolean, valid: boolean, resumed: Resumed | undefined): Steps<void> {
  const isTrained = resumed?.point.stage === "validation";
  if (train && !isTrained) yield* runPass(learn, learn.dls.train, true, resumed);
  if (isTrained) resumed.restore();
  reach(learn._point, learn.epoch, "validation");
  learn._point.random = getRandomState();
  if (valid) yield* runPass(learn, learn.dls.valid, false);
  reach(learn._point, learn.epoch + 1, "epoch");
}

function* runBatches(learn: Learner, loader: TensorLoader, resumed: Resumed | undefined): Steps<void> {
  if (learn.training) reach(learn._point, learn.epoch, "training", learn.iteration);
  resumed?.restore();
  const isFresh = loader instanceof DataLoader && loader._makesFreshBatches;
  for (const next of loader.iterate()) {
    const batch = next instanceof Promise ? yield* wait(next) : next;
    yield* runBatch(learn, batch);
    // Inputs that nobody has seen and nobody can see any more need not wait for the garbage collector.
    if (isFresh && !learn._isBatchSeen && learn.model._isContained) batch[0].storage.abandon();
    learn.iteration++;
    if (performance.now() - learn._lastYield > turn) yield breathe(learn);
  }
}

function* runForward(learn: Learner): Steps<void> {
  const compute = learn.training ? enableGrad : noGrad;
  learn._preds = compute(() => learn.predict());
  const predicted = learn._dispatcher.publish("afterPredict");
  if (predicted !== undefined) yield predicted;
  if (!learn._hasLoss) return;
  learn._loss = compute(() => learn.getLoss());
  const lost = learn._dispatcher.publish("afterLoss");
  if (lost !== undefined) yield lost;
  if (learn.training) yield* runBackward(learn);
}

function* runBackward(learn: Learner): Steps<void> {
  const { _dispatcher: dispatcher } = learn;
  learn._hasPartialGradients = true;
  const isReady = yield* dispatcher.phase("backward", () => learn.backward());
  const hasStepped =
    isReady &&
    (yield* dispatcher.phase("step", () => {
      learn.step();
      count(learn);
    }));
  if (hasStepped) learn.zeroGrad();
  else count(learn);
  learn._hasPartialGradients = false;
}

/** From here on the batch need not be done again. */
function count(learn: Learner): void {
  learn.steps++;
  reach(learn._point, learn.epoch, "training", learn.iteration + 1);
}

function reach(point: Point, epoch: number, stage: Point["stage"], iteration = 0): void {
  point.epoch = epoch;
  point.stage = stage;
  point.iteration = iteration;
  point.random = undefined;
}

async function breathe(learn: Learner): Promise<void> {
  await yieldToEvents();
  learn._lastYield = performance.now();
}

function reasonOf({ reason }: AbortSignal): string {
  return reason instanceof Error ? reason.message : String(reason);
}

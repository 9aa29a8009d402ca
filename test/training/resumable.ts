import {
  type Callback,
  CancelFit,
  Checkpoint,
  type CheckpointOptions,
  DataLoaders,
  F,
  type FitOptions,
  type Json,
  Learner,
  manualSeed,
  nn,
  optim,
  ParamScheduler,
  randint,
  randn,
  schedCos,
  TensorDataset,
} from "../../src/index.ts";

/** Ends the fit when the validation loss has not fallen for `patience` epochs. */
export class Patience implements Callback {
  readonly patience: number;
  private _best = Number.POSITIVE_INFINITY;
  private _wait = 0;

  constructor(patience: number) {
    this.patience = patience;
  }

  afterEpoch({ recorder }: Learner): void {
    const loss = recorder.records.at(-1)?.valid?.["loss"] ?? Number.NaN;
    this._wait = loss < this._best ? 0 : this._wait + 1;
    this._best = Math.min(this._best, loss);
    if (this._wait >= this.patience) throw new CancelFit(`no better for ${this.patience} epochs`);
  }

  // after the recorder
  readonly order = 60;

  state(): Json {
    return [this._best, this._wait];
  }

  loadState(state: Json): void {
    if (Array.isArray(state)) [this._best, this._wait] = state.map(Number);
  }
}

export const epochs = 6;

/** Shuffling, dropout, batch normalisation, momentum, a schedule and early stopping, with a ragged last batch. */
export function makeLearner({ patience = 3 }: { readonly patience?: number } = {}): Learner {
  manualSeed(7);
  const x = randn([70, 6]);
  const y = randint(0, 3, [70]);
  const train = new TensorDataset(x, y);
  const valid = new TensorDataset(randn([30, 6]), randint(0, 3, [30]));
  const dls = DataLoaders.fromDatasets(train, valid, { batchSize: 16 });
  const model = new nn.Sequential(new nn.Linear(6, 12), new nn.ReLU(), new nn.Dropout(0.3), new nn.Linear(12, 3));
  return new Learner(dls, model, {
    loss: F.crossEntropy,
    optimizer: (params, hypers) => optim.adam(params, hypers),
    metrics: { accuracy: (preds, targets) => preds.argmax(-1).eq(targets).sum().item() / targets.numel() },
    callbacks: [
      new ParamScheduler({ lr: schedCos(0.05, 0.001), momentum: schedCos(0.95, 0.85) }),
      new Patience(patience),
    ],
    progress: false,
  });
}

/** Trains to the end from wherever the folder's newest checkpoint stands. */
export async function trainOn(
  learn: Learner,
  folder: string,
  options: FitOptions & { readonly checkpoint?: CheckpointOptions } = {},
): Promise<void> {
  const { checkpoint = { everyEpochs: 100 }, callbacks = [], ...fit } = options;
  const saver = new Checkpoint(folder, checkpoint);
  await learn.fit(epochs, { ...fit, resume: folder, callbacks: [...callbacks, saver] });
}

/** Everything that must be equal, as text: weights bit by bit, records, hyper-parameters, random state. */
export function traceOf(learn: Learner): string {
  const { losses, smoothLosses, hypers, records, validLosses } = learn.recorder;
  return JSON.stringify({
    weights: [...learn.model.stateDict()].map(([name, x]) => [name, [...bits(x.toTypedArray())]]),
    optimizer: [...learn.optimizer.stateDict().tensors].map(([name, x]) => [name, [...bits(x.toTypedArray())]]),
    losses: losses.map(String),
    smoothLosses: smoothLosses.map(String),
    hypers,
    records: records.map(({ epoch, train, valid, stopReason }) => ({ epoch, train, valid, stopReason })),
    validLosses,
    steps: learn.steps,
    stopReason: learn.stopReason,
    loader: learn.dls.train.state(),
  });
}

function bits(x: {
  readonly buffer: ArrayBufferLike;
  readonly byteOffset: number;
  readonly byteLength: number;
}): Uint8Array {
  return new Uint8Array(x.buffer, x.byteOffset, x.byteLength);
}

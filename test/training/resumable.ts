import {
  Checkpoint,
  type CheckpointOptions,
  DataLoaders,
  EarlyStopping,
  F,
  type FitOptions,
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
      new EarlyStopping({ patience }),
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

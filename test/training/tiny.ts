import {
  type Callback,
  DataLoaders,
  F,
  Learner,
  type LearnerOptions,
  manualSeed,
  nn,
  randint,
  randn,
  TensorDataset,
} from "../../src/index.ts";

/** What {@link tiny} makes; sizes are in items, batches hold two. */
export interface TinyOptions extends Partial<LearnerOptions> {
  readonly train?: number;
  readonly valid?: number;
}

/** A learner over a handful of items, quick enough to run by the hundred. */
export function tiny(options: TinyOptions = {}, type: typeof Learner = Learner): Learner {
  const { train = 6, valid = 4, ...rest } = options;
  manualSeed(3);
  const data = (items: number) => new TensorDataset(randn([items, 2]), randint(0, 2, [items]));
  const dls = DataLoaders.fromDatasets(data(train), data(valid), { batchSize: 2, validBatchSize: 2 });
  return new type(dls, new nn.Linear(2, 2), { loss: F.crossEntropy, lr: 0.1, progress: false, ...rest });
}

/** A callback that notes the events it is given, or all. */
export function noting(log: string[], names: readonly (keyof Callback)[], label = ""): Callback {
  return Object.fromEntries(names.map((name) => [name, () => void log.push(label + name)]));
}

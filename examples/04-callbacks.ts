/**
 * Callbacks of one's own: to watch, to change the batch or the loss, to skip, to stop, to keep a copy of the weights that
 * a checkpoint remembers, and what happens when one fails.
 * `--short` (or KINDLING_SHORT=1) uses less data.
 */
import assert from "node:assert/strict";
import { argv, env } from "node:process";
import {
  accuracy,
  type Callback,
  CancelBackward,
  CancelFit,
  F,
  type Json,
  Learner,
  manualSeed,
  nn,
  noGrad,
  randn,
  type Tensor,
  tensor,
  trainingContext,
} from "kindling";
import { DataLoaders, TensorDataset } from "kindling/data";

const short = env["KINDLING_SHORT"] === "1" || argv.includes("--short");
manualSeed(4);

// Points in the plane; the class says whether they lie inside a ring.
function rings(n: number): TensorDataset {
  const x = randn([n, 2]);
  const radius = x.mul(x).sum(1);
  return new TensorDataset(x, radius.lt(1.4).to("int32"));
}
const dls = DataLoaders.fromDatasets(rings(short ? 1_000 : 8_000), rings(1_000), { batchSize: 50 });
const makeModel = () => new nn.Sequential(new nn.Linear(2, 32), new nn.ReLU(), new nn.Linear(32, 2));
const makeLearner = () =>
  new Learner(dls, makeModel(), { loss: F.crossEntropy, lr: 0.2, metrics: { accuracy }, progress: false });

// --- Watching -------------------------------------------------------------------------------------------------------

// A callback is an object with a method for each event it cares about. The learner has all there is to see.
const hardest = { loss: 0, step: -1 };
const watcher: Callback = {
  afterLoss: (learn) => {
    const loss = learn.loss.item();
    if (learn.training && loss > hardest.loss) Object.assign(hardest, { loss, step: learn.steps });
  },
  afterEpoch: ({ epoch, recorder }) => {
    console.log(`epoch ${epoch}: accuracy ${recorder.records.at(-1)?.valid?.["accuracy"].toFixed(3)}`);
  },
  order: 60, // behind the recorder (50), which makes the record
};
await makeLearner().fit(3, { callbacks: [watcher] });
console.log(`the hardest batch was number ${hardest.step}, loss ${hardest.loss.toFixed(3)}`);

// --- Changing the batch and the loss --------------------------------------------------------------------------------

/** Blurs the inputs in training, so that the model cannot lean on single points. */
class Noise implements Callback {
  readonly std: number;

  constructor(std: number) {
    this.std = std;
  }

  beforeBatch(learn: Learner): void {
    if (learn.training) learn.xb = learn.xb.add(randn(learn.xb.shape).mul(this.std));
  }
}

/** Adds the sizes of the weights to the loss; metrics, whose order is lower, have seen the loss before. */
class L1 implements Callback {
  readonly strength: number;

  constructor(strength: number) {
    this.strength = strength;
  }

  afterLoss(learn: Learner): void {
    if (!learn.training) return;
    for (const p of learn.model.parameters()) learn.loss = learn.loss.add(p.abs().sum().mul(this.strength));
  }
}

const size = (model: nn.AnyModule): number => model.parameters().reduce((sum, p) => sum + p.abs().sum().item(), 0);
const free = makeLearner();
await free.fit(3);
const held = makeLearner();
await held.fit(3, { callbacks: [new Noise(0.05), new L1(0.002)] });
console.log(`sum of |weights|: ${size(free.model).toFixed(1)} free, ${size(held.model).toFixed(1)} with L1`);
assert.ok(size(held.model) < size(free.model), "L1 has not made the weights smaller");

// --- Skipping and stopping ------------------------------------------------------------------------------------------

/** Learns nothing from batches that are easy already, and ends the fit when most are. */
class SkipEasy implements Callback {
  readonly limit: number;
  skipped = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  beforePass({ training }: Learner): void {
    if (training) this.skipped = 0;
  }

  beforeBackward({ metrics }: Learner): void {
    if (metrics.batchLoss >= this.limit) return;
    this.skipped++;
    throw new CancelBackward(); // no gradients, no step; the batch goes on to afterBatch
  }

  afterPass({ training, iterations }: Learner): void {
    if (training && this.skipped > 0.5 * iterations) throw new CancelFit("most batches are easy");
  }
}

const skipper = makeLearner();
await skipper.fit(60, { callbacks: [new SkipEasy(0.15)] });
console.log(`stopped in epoch ${skipper.epoch}: ${skipper.stopReason ?? "all epochs done"}`);

// --- State ----------------------------------------------------------------------------------------------------------

/** A running average of the weights, used for validation. What `state` gives is in every checkpoint. */
class AveragedWeights implements Callback {
  readonly memory: number;
  private average: Tensor[] = [];
  private own: Tensor[] = [];

  constructor(memory: number) {
    this.memory = memory;
  }

  beforeFit({ model }: Learner): void {
    this.average = model.parameters().map((p) => p.detach().clone());
  }

  afterStep({ model }: Learner): void {
    noGrad(() => {
      const now = model.parameters();
      for (const [i, a] of this.average.entries()) a.mul_(this.memory).add_(now[i].mul(1 - this.memory));
    });
  }

  beforePass(learn: Learner): void {
    if (learn.training) return;
    this.own = learn.model.parameters().map((p) => p.detach().clone());
    this.put(learn, this.average);
  }

  /** Also when validation was cancelled or failed. */
  cleanupPass(learn: Learner): void {
    if (this.own.length > 0) this.put(learn, this.own);
    this.own = [];
  }

  state(): Json {
    return this.average.map((a) => [...a.toTypedArray()]);
  }

  /** Comes after `beforeFit`, when a fit is resumed. */
  loadState(state: Json): void {
    if (!Array.isArray(state)) return;
    for (const [i, values] of state.entries()) {
      const { shape } = this.average[i];
      if (Array.isArray(values)) this.average[i] = tensor(values.map(Number)).reshape(shape);
    }
  }

  private put({ model }: Learner, values: readonly Tensor[]): void {
    noGrad(() => {
      for (const [i, p] of model.parameters().entries()) p.copy_(values[i]);
    });
  }
}

const averaged = makeLearner();
const before = averaged.model.parameters()[0].toArray();
await averaged.fit(3, { callbacks: [new AveragedWeights(0.98)] });
assert.notDeepEqual(averaged.model.parameters()[0].toArray(), before);
console.log(
  `validated on averaged weights: accuracy ${averaged.recorder.records.at(-1)?.valid?.["accuracy"].toFixed(3)}`,
);

// --- Failing --------------------------------------------------------------------------------------------------------

// A real error comes out as it is; where it arose is kept beside it. cleanup events have run.
const broken: Callback = {
  name: "broken",
  afterPredict: ({ steps }) => {
    if (steps === 7) throw new RangeError("something is off");
  },
};
try {
  await makeLearner().fit(1, { callbacks: [broken] });
  assert.fail("the error must come out");
} catch (error) {
  assert.ok(error instanceof RangeError, "another error");
  const { event, callback, iteration } = trainingContext(error) ?? {};
  console.log(`${error.message}: in ${callback} at ${event}, iteration ${iteration}`);
  assert.deepEqual([event, callback, iteration], ["afterPredict", "broken", 7]);
}

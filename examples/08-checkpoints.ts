/**
 * Checkpoints and exact resume: a run that is interrupted in the middle of an epoch and taken up by a new learner ends with
 * the very weights of a run that was never interrupted, with shuffling, dropout, momentum and a schedule going on.
 * `--short` (or KINDLING_SHORT=1) uses less data.
 */
import assert from "node:assert/strict";
import { readdirSync, rmSync } from "node:fs";
import { argv, env } from "node:process";
import { accuracy, type Callback, Checkpoint, F, Learner, manualSeed, nn, OneCycle, optim } from "kindling";
import { DataLoaders, mnistTensors, TensorDataset } from "kindling/data";

const short = env["KINDLING_SHORT"] === "1" || argv.includes("--short");
const folder = "runs/08-checkpoints";
rmSync(folder, { recursive: true, force: true });
const { train, valid } = await mnistTensors({ flatten: true });
const trainSet = new TensorDataset(train.x.div(255), train.y).slice(0, short ? 4_000 : 20_000);
const validSet = new TensorDataset(valid.x.div(255), valid.y).slice(0, 2_000);

/** Everything anew, as a new process would make it. */
function makeLearner(): Learner {
  manualSeed(8);
  const dls = DataLoaders.fromDatasets(trainSet, validSet, { batchSize: 100, seed: 8 });
  const model = new nn.Sequential(new nn.Linear(784, 50), new nn.ReLU(), new nn.Dropout(0.2), new nn.Linear(50, 10));
  return new Learner(dls, model, {
    loss: F.crossEntropy,
    optimizer: (params, { lr }) => optim.sgd(params, { lr, momentum: 0.9 }),
    lr: 0.2,
    metrics: { accuracy },
    callbacks: [new OneCycle()],
    progress: false,
  });
}
const weightsOf = ({ model }: Learner) => model.parameters().map((p) => [...p.toTypedArray()]);

const whole = makeLearner();
await whole.fit(3);
const batches = whole.steps;
console.log(`uninterrupted: ${batches} batches`);

// An AbortSignal ends a fit at the next batch boundary and leaves a checkpoint: that of abortOnInterrupt() is Ctrl-C's,
// AbortSignal.timeout(ms) is a time limit. kill -9 loses what came after the last checkpoint, nothing more.
const controller = new AbortController();
const impatient: Callback = {
  watches: true, // it changes nothing, so the run that goes on may lack it
  afterBatch: ({ steps, training }) => {
    if (training && steps === Math.round(0.45 * batches)) controller.abort("the machine is needed");
  },
};
const first = makeLearner();
const saving = { everySteps: 20, keep: 2 };
await first.fit(3, { callbacks: [new Checkpoint(folder, saving), impatient], signal: controller.signal });
console.log(`interrupted after ${first.steps} batches, in epoch ${first.epoch}: ${first.stopReason}`);
console.log(`in ${folder}: ${readdirSync(folder).sort().join(", ")}`);
assert.notDeepEqual(weightsOf(first), weightsOf(whole));

const second = makeLearner();
await second.fit(3, { callbacks: [new Checkpoint(folder, saving)], resume: folder });
console.log(`resumed to ${second.steps} batches`);
assert.deepEqual(weightsOf(second), weightsOf(whole)); // to the last bit
assert.deepEqual(second.recorder.losses, whole.recorder.losses); // and the record is that of one run
console.log("all weights and losses are those of the uninterrupted run");

// To take the weights only, load them into a learner of the same model.
const reader = makeLearner();
await reader.load(folder);
assert.deepEqual(weightsOf(reader), weightsOf(whole));
const { accuracy: share } = await reader.validate();
console.log(`loaded: accuracy ${share.toFixed(4)}`);

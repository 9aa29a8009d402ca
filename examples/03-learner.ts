/**
 * The Learner on Fashion-MNIST: plain SGD, metrics, a device, the learning-rate finder, momentum by kept gradients, and
 * progress with a chart. Pictures go to runs/.
 *
 * Follows "nntrain (2/n): Learner" by Lucas van Walstijn. `--short` (or KINDLING_SHORT=1) trains one epoch in the place of five.
 */
import assert from "node:assert/strict";
import { argv, env } from "node:process";
import {
  accuracy,
  DeviceMover,
  defaultDevice,
  F,
  Learner,
  type LearnerOptions,
  MomentumLearner,
  manualSeed,
  nn,
  optim,
} from "kindling";
import { fashionMnist } from "kindling/data";

const epochs = env["KINDLING_SHORT"] === "1" || argv.includes("--short") ? 1 : 5;
manualSeed(3);
const load = () => fashionMnist({ batchSize: 1024, flatten: true, normalize: false });
const dls = await load();
assert.deepEqual([dls.train.length, dls.valid.length], [59, 5]);
const makeModel = () => new nn.Sequential(new nn.Linear(784, 50), new nn.ReLU(), new nn.Linear(50, 10));
const options: LearnerOptions = {
  loss: F.crossEntropy,
  optimizer: optim.sgd,
  lr: 0.01,
  metrics: { accuracy },
  callbacks: [new DeviceMover(defaultDevice())], // model and batches go where the fast backend is
  progress: true, // a table also where output is no terminal
};
const reached = (learn: Learner): number => learn.recorder.records.at(-1)?.valid?.["accuracy"] ?? Number.NaN;

console.log("SGD, learning rate 0.01");
const plain = new Learner(dls, makeModel(), options);
await plain.fit(epochs);

// --- Which learning rate? -------------------------------------------------------------------------------------------

// The rate grows by a quarter from batch to batch until the loss blows up. The learner itself stays as it is.
const fresh = new Learner(dls, makeModel(), options);
const finder = await fresh.lrFind({ startLr: 1e-4, factor: 1.25, endLr: 50, stopAt: 3 });
await finder.plot().save("runs/03-finder.svg");
const { suggestion } = finder;
console.log(`suggested learning rate ${suggestion.toFixed(3)} after ${finder.lrs.length} batches (runs/03-finder.svg)`);
assert.ok(suggestion >= 0.05 && suggestion <= 0.5, `the suggestion is ${suggestion}`);
await fresh.fit(epochs, { lr: suggestion });

// --- Momentum -------------------------------------------------------------------------------------------------------

// A Learner can be subclassed at predict, getLoss, backward, step and zeroGrad. To multiply gradients by 0.85 where they
// would be forgotten is momentum: g + 0.85·g₋₁ + 0.85²·g₋₂ + …
class KeepingLearner extends Learner {
  override zeroGrad(): void {
    optim.scaleGrads(this.model.parameters(), 0.85);
  }
}

manualSeed(4);
const byHand = new KeepingLearner(await load(), makeModel(), { ...options, progress: false });
await byHand.fit(epochs);

// The one that kindling brings forgets the gradients at the end of a fit; within one it is the same to the last bit.
console.log("learning rate 0.01 again, with momentum 0.85");
manualSeed(4);
const momentum = new MomentumLearner(await load(), makeModel(), { ...options, momentum: 0.85 });
await momentum.fit(epochs);
assert.deepEqual(momentum.recorder.losses, byHand.recorder.losses);
assert.ok(reached(momentum) - reached(plain) > 0.09, "momentum must be ahead");

await momentum.recorder.plotLoss({ title: "Momentum by kept gradients" }).save("runs/03-loss.svg");
const shares = [plain, fresh, momentum].map((learn) => reached(learn).toFixed(3));
console.log(
  `accuracy: SGD ${shares[0]}, at the suggested rate ${shares[1]}, with momentum ${shares[2]} (runs/03-loss.svg)`,
);

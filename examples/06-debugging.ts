/**
 * A run that does not learn, and how to find out why: overfitting one batch, charts of activations and gradients, dead
 * units, and the stop at the first number that is not finite, which names the module.
 * Pictures go to runs/. `--short` (or KINDLING_SHORT=1) trains less.
 */
import assert from "node:assert/strict";
import { argv, env } from "node:process";
import {
  ActivationStats,
  accuracy,
  F,
  GradientClip,
  GradientStats,
  Learner,
  manualSeed,
  nn,
  noGrad,
  OverfitOneBatch,
  type Tensor,
} from "kindling";
import { DataLoaders, mnistTensors, TensorDataset } from "kindling/data";

const short = env["KINDLING_SHORT"] === "1" || argv.includes("--short");
const { train, valid } = await mnistTensors({ flatten: true });
const part = (images: Tensor, labels: Tensor, n: number) => new TensorDataset(images.div(255), labels).slice(0, n);
const dls = DataLoaders.fromDatasets(
  part(train.x, train.y, short ? 10_000 : 20_000),
  part(valid.x, valid.y, short ? 1_000 : 10_000),
  { batchSize: 50, seed: 6 },
);

/** Six layers; deep enough for a bad start to hurt. */
function deepModel(): nn.Sequential {
  manualSeed(6);
  const sizes = [784, 50, 50, 50, 50, 50, 10];
  const layers = sizes.slice(1).flatMap((size, i) => {
    const linear = new nn.Linear(sizes[i], size);
    return i === sizes.length - 2 ? [linear] : [linear, new nn.ReLU()];
  });
  return new nn.Sequential(...layers);
}
const learner = (model: nn.Module, lr = 0.2) =>
  new Learner(dls, model, { loss: F.crossEntropy, lr, metrics: { accuracy }, progress: false });
const reached = (learn: Learner): number => learn.recorder.records.at(-1)?.valid?.["accuracy"] ?? Number.NaN;
const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

// --- 1. The patient -------------------------------------------------------------------------------------------------

const sick = deepModel();
noGrad(() => {
  for (const p of sick.parameters()) p.mul_(0.1); // someone thought small weights are safe
});
const ill = learner(sick);
const [activations, gradients] = [new ActivationStats({ every: 2 }), new GradientStats({ every: 2 })];
await ill.fit(1, { callbacks: [activations, gradients] });
console.log(
  `sick: loss ${ill.recorder.losses.at(-1)?.toFixed(3)}, log 10 is 2.303: it knows nothing. accuracy ${reached(ill).toFixed(3)}`,
);
assert.ok(reached(ill) < 0.2, "the sick model has learned something");

// Can it learn anything? One batch again and again must bring the loss near 0.
const single = learner(sick);
await single.fit(1, { callbacks: [new OverfitOneBatch()] });
console.log(
  `sick: loss ${single.recorder.losses.at(-1)?.toFixed(3)} on one batch seen again and again: something is broken`,
);
assert.ok((single.recorder.losses.at(-1) ?? 0) > 1.9, "the sick model has learned a batch");

// --- 2. The cause ---------------------------------------------------------------------------------------------------

// Outputs hardly vary any more, they are what the biases make them; and gradients fade on their way back.
for (const { name, std } of activations.layers.filter((layer) => layer.name.endsWith("Linear"))) {
  console.log(`  ${name.padEnd(10)} standard deviation of outputs ${std[0].toExponential(1)}`);
}
for (const { name, gradient } of gradients.parameters.filter((p) => p.name.endsWith("weight"))) {
  console.log(`  ${name.padEnd(10)} norm of gradients ${gradient.norm[0].toExponential(1)}`);
}
const norms = gradients.parameters.map(({ gradient }) => gradient.norm[0]);
assert.ok(norms[0] < norms[norms.length - 2] / 1000, "gradients do not fade");
await activations.plotStats().save("runs/06-sick-activations.svg");
await gradients.plotStats().save("runs/06-sick-gradients.svg");

// --- 3. The cure ----------------------------------------------------------------------------------------------------

const healthy = deepModel();
for (const layer of healthy) {
  if (!(layer instanceof nn.Linear)) continue;
  nn.init.kaimingNormal_(layer.weight);
  if (layer.bias) nn.init.zeros_(layer.bias);
}
const well = learner(healthy);
const wellStats = new ActivationStats({ every: 2 });
await well.fit(1, { callbacks: [wellStats] });
console.log(`Kaiming's initialisation: accuracy ${reached(well).toFixed(3)}`);
assert.ok(reached(well) > 0.6, "the healthy model has learned too little");
await wellStats.colorDim({ title: "Healthy activations" }).save("runs/06-healthy-histograms.png");

// --- 4. Dead units --------------------------------------------------------------------------------------------------

// Ten times the rate: clipped gradients keep numbers finite, but units that were pushed below zero stay there.
const hasty = learner(healthy, 2);
const hastyStats = new ActivationStats({ every: 2 });
await hasty.fit(1, { callbacks: [hastyStats, new GradientClip({ norm: 1 })] });
const deadShares = (stats: ActivationStats): number =>
  mean(stats.layers.filter(({ name }) => name.endsWith("ReLU")).map(({ dead }) => dead.at(-1) ?? 0));
console.log(
  `share of zeros behind the ReLUs: ${deadShares(wellStats).toFixed(2)} at rate 0.2, ` +
    `${deadShares(hastyStats).toFixed(2)} at rate 2; accuracy ${reached(hasty).toFixed(3)}`,
);
assert.ok(deadShares(hastyStats) > deadShares(wellStats), "a high rate has killed nothing");
await hastyStats.deadChart().save("runs/06-dead.svg");
await hastyStats.colorDim({ title: "A rate that kills" }).save("runs/06-dead-histograms.png");

// --- 5. Not a number ------------------------------------------------------------------------------------------------

/** The logarithm of what may be negative. */
class Log extends nn.Module {
  forward(x: Tensor): Tensor {
    return x.log();
  }
}
const broken = new nn.Sequential(new nn.Linear(784, 50), new Log(), new nn.Linear(50, 10));
const weights = broken.parameters()[0].toArray();
const stopped = learner(broken);
await stopped.fit(1); // warns, and stops before the weights change
console.log(`stopped: ${stopped.stopReason}`);
assert.match(stopped.stopReason ?? "", /NaN at epoch 0, iteration 0; .* "1" \(Log\)/);
assert.deepEqual(broken.parameters()[0].toArray(), weights);

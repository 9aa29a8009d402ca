/**
 * Schedules: the annealers as curves, phases joined, one cycle, and learning rates that differ from layer to layer.
 * Pictures go to runs/. `--short` (or KINDLING_SHORT=1) trains on a fifth of the data.
 */
import assert from "node:assert/strict";
import { argv, env } from "node:process";
import {
  accuracy,
  type Callback,
  combineScheds,
  cos1cycle,
  createPhases,
  F,
  Learner,
  type LearnerOptions,
  manualSeed,
  nn,
  OneCycle,
  optim,
  ParamScheduler,
  type Schedule,
  schedCos,
  schedExp,
  schedLin,
  schedNo,
  schedPoly,
  schedRestarts,
  schedStep,
  warmUp,
} from "kindling";
import { DataLoaders, mnistTensors, TensorDataset } from "kindling/data";
import { scheduleChart } from "kindling/viz";

const short = env["KINDLING_SHORT"] === "1" || argv.includes("--short");

// --- Curves ---------------------------------------------------------------------------------------------------------

// A schedule is a function of the position in training, from 0 to 1.
assert.equal(schedLin(1, 2)(0.3), 1.3);
const annealers: Record<string, Schedule> = {
  none: schedNo(1),
  linear: schedLin(1, 0.1),
  cosine: schedCos(1, 0.1),
  exponential: schedExp(1, 0.1),
  "polynomial, 2": schedPoly(1, 0.1, { power: 2 }),
  "stairs, 3": schedStep(1, { steps: 3, gamma: 0.5 }),
};
const joined: Record<string, Schedule> = {
  "cosine up, cosine down": combineScheds([0.3, 0.7], [schedCos(0.3, 0.6), schedCos(0.6, 0.2)]),
  "three phases": combineScheds(createPhases([0.2, 0.5]), [schedLin(0, 0.5), schedNo(0.5), schedCos(0.5, 0)]),
  "one cycle": cos1cycle(0.05, 0.5, 0),
  "warm restarts": schedRestarts(0.5, 0.01, { cycles: 3, factor: 2 }),
  "warm-up, then cosine": warmUp(0.1, 0, schedCos(0.5, 0)),
};
const positions = Array.from({ length: 201 }, (_, i) => i / 200);
const curves = (table: Record<string, Schedule>) =>
  Object.fromEntries(Object.entries(table).map(([name, schedule]) => [name, positions.map(schedule)]));
await scheduleChart(curves(annealers), { title: "Annealers" }).save("runs/05-annealers.svg");
await scheduleChart(curves(joined), { title: "Phases joined" }).save("runs/05-phases.svg");
console.log("wrote runs/05-annealers.svg and runs/05-phases.svg");

// --- In training ----------------------------------------------------------------------------------------------------

const { train, valid } = await mnistTensors({ flatten: true });
const trainSet = new TensorDataset(train.x.div(255), train.y).slice(0, short ? 10_000 : 50_000);
const validSet = new TensorDataset(valid.x.div(255), valid.y);
const dls = DataLoaders.fromDatasets(trainSet, validSet, { batchSize: 512, seed: 5 });

async function run(name: string, callbacks: readonly Callback[], more: Partial<LearnerOptions> = {}): Promise<Learner> {
  manualSeed(5); // all start from the same weights
  const model = new nn.Sequential(new nn.Linear(784, 50), new nn.ReLU(), new nn.Linear(50, 10));
  const options = { loss: F.crossEntropy, lr: 0.3, metrics: { accuracy }, progress: false, ...more };
  const learn = new Learner(dls, model, options);
  await learn.fit(3, { callbacks });
  const shares = learn.recorder.records.map(({ valid: figures }) => figures?.["accuracy"].toFixed(4));
  console.log(`${name.padEnd(24)} ${shares.join("  ")}`);
  return learn;
}

console.log("accuracy after each epoch");
await run("0.3 throughout", []);
const cosine = joined["cosine up, cosine down"];
const annealed = await run("0.3 to 0.6 to 0.2", [new ParamScheduler({ lr: cosine })]);
const { lr } = annealed.recorder.hypers;
assert.ok(Math.abs(lr[0] - 0.3) < 1e-9 && Math.max(...lr) > 0.59 && lr[lr.length - 1] < 0.21, "another schedule");

// The rate up and down, momentum down and up.
const momentum = {
  optimizer: (params: optim.Params, { lr }: { lr: number }) => optim.sgd(params, { lr, momentum: 0.9 }),
};
const cycled = await run("one cycle", [new OneCycle({ lrMax: 0.4 })], momentum);
await cycled.recorder.plotSchedule().save("runs/05-one-cycle.svg");

// --- Rates that differ from layer to layer --------------------------------------------------------------------------

// A splitter makes parameter groups; a list of schedules has one for each.
const splitter = (model: nn.AnyModule) => {
  const weights = model.parameters().filter((p) => p.rank > 1);
  const biases = model.parameters().filter((p) => p.rank === 1);
  return [weights, biases];
};
const thrice = (position: number) => 3 * cosine(position);
const split = await run("biases three times that", [new ParamScheduler({ lr: [cosine, thrice] })], { splitter });
const rates = split.optimizer.paramGroups.map(({ hypers }) => hypers["lr"]);
console.log(`rates at the end: ${rates.map((rate) => rate.toFixed(3)).join(" for weights, ")} for biases`);
assert.ok(Math.abs(rates[1] / rates[0] - 3) < 1e-9, "the rates are not 1 to 3");

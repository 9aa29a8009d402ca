/**
 * The ladder: Fashion-MNIST from 0.85 to 0.928, one idea a rung. Pictures go to runs/.
 *
 * Follows the lessons on initialisation, accelerated SGD and residual networks of fast.ai's part 2 (2022). With
 * KINDLING_SHORT=1, or --short, every rung trains for a few steps only.
 */
import assert from "node:assert/strict";
import { argv, env } from "node:process";
import {
  ActivationStats,
  accuracy,
  type Callback,
  F,
  Learner,
  type LearnerOptions,
  manualSeed,
  nn,
  normalize,
  OneCycle,
  optim,
  type Tensor,
  zeros,
} from "kindling";
import { DataLoaders, fashionMnistTensors, TensorDataset } from "kindling/data";
import { barChart, metricChart } from "kindling/viz";

const short = env["KINDLING_SHORT"] === "1" || argv.includes("--short");

// --- Data -----------------------------------------------------------------------------------------------------------

const { train, valid } = await fashionMnistTensors();
const [trainCount, validCount] = short ? [1024, 512] : [60_000, 10_000];
const trainSet = new TensorDataset(train.x.slice(0, 0, trainCount), train.y.slice(0, 0, trainCount));
const validSet = new TensorDataset(valid.x.slice(0, 0, validCount), valid.y.slice(0, 0, validCount));

/** Batches of pixels from 0 to 1, or with mean 0 and deviation 1. */
function loaders(batchSize: number, normalized: boolean): DataLoaders {
  const scale = (x: Tensor): Tensor => (normalized ? normalize(x.div(255), 0.28, 0.35) : x.div(255));
  const batchTransform = ([x, y]: readonly [Tensor, Tensor]) => [scale(x), y] as const;
  return DataLoaders.fromDatasets(trainSet, validSet, { batchSize: short ? 256 : batchSize, batchTransform });
}

// --- Networks -------------------------------------------------------------------------------------------------------

const relu = (): nn.Layer => new nn.ReLU();
const leakyRelu = (): nn.Layer => new nn.GeneralRelu({ leak: 0.1, sub: 0.4 });
const batchNorm = (channels: number): nn.Layer => new nn.BatchNorm2d(channels);

/** Strided convolutions down to one place and ten channels. */
function convolutions(activation: () => nn.Layer, norm: ((channels: number) => nn.Layer) | null = null): nn.Sequential {
  const channels = [1, 8, 16, 32, 64];
  return new nn.Sequential(
    ...channels.slice(1).map((count, i) => nn.convBlock(channels[i], count, { activation, norm })),
    nn.convBlock(64, 10, { activation: null, norm: null }),
    new nn.Flatten(),
  );
}

/** Residual blocks; each but the first halves height and width and doubles the channels. */
function resnet(): nn.Sequential {
  const channels = [8, 16, 32, 64, 128, 256];
  const parts = { activation: leakyRelu, norm: batchNorm };
  return new nn.Sequential(
    new nn.ResBlock(1, 8, parts),
    ...channels.slice(1).map((count, i) => new nn.ResBlock(channels[i], count, { ...parts, stride: 2 })),
    new nn.Flatten(),
    new nn.Linear(256, 10, { bias: false }),
    new nn.BatchNorm1d(10),
  );
}

/** Kaiming's start for a ReLU of some slope. */
function kaiming(model: nn.Sequential, a: number): nn.Sequential {
  for (const layer of model.modules()) if (layer instanceof nn.Conv2d) nn.init.kaimingNormal_(layer.weight, { a });
  return model;
}

// --- Rungs ----------------------------------------------------------------------------------------------------------

interface Rung {
  readonly name: string;
  readonly model: () => nn.Sequential;
  readonly lr: number;
  readonly epochs: number;
  readonly batchSize?: number;
  readonly normalized?: boolean;
  readonly optimizer: NonNullable<LearnerOptions["optimizer"]>;
  readonly cycle?: boolean;
}

const momentum: Rung["optimizer"] = (params, { lr }) => optim.sgd(params, { lr, momentum: 0.85 });
const adamW: Rung["optimizer"] = (params, { lr }) => optim.adamW(params, { lr });

const rungs: readonly Rung[] = [
  {
    name: "convolutions as they come",
    model: () => convolutions(relu),
    lr: 0.2,
    epochs: 3,
    normalized: false,
    optimizer: momentum,
  },
  {
    name: "Kaiming, normalised pixels",
    model: () => kaiming(convolutions(relu), 0),
    lr: 0.2,
    epochs: 3,
    optimizer: momentum,
  },
  {
    name: "GeneralRelu",
    model: () => kaiming(convolutions(leakyRelu), 0.1),
    lr: 0.2,
    epochs: 3,
    optimizer: momentum,
  },
  {
    name: "batch norm, batches of 256",
    model: () => kaiming(convolutions(leakyRelu, batchNorm), 0.1),
    lr: 0.2,
    epochs: 3,
    batchSize: 256,
    optimizer: momentum,
  },
  {
    name: "AdamW, one cycle",
    model: () => kaiming(convolutions(leakyRelu, batchNorm), 0.1),
    lr: 6e-2,
    epochs: 5,
    optimizer: adamW,
    cycle: true,
  },
  { name: "ResNet", model: () => kaiming(resnet(), 0.1), lr: 2e-2, epochs: 5, optimizer: adamW, cycle: true },
];

console.log(String(nn.summary(resnet(), zeros([1, 1, 28, 28]))));

const courses: Record<string, number[]> = {};
for (const [i, { name, model, lr, epochs, batchSize = 1024, normalized = true, optimizer, cycle }] of rungs.entries()) {
  manualSeed(42);
  const dls = loaders(batchSize, normalized);
  const learn = new Learner(dls, model(), { loss: F.crossEntropy, optimizer, lr, metrics: { accuracy } });
  const stats = new ActivationStats({ filter: (layer) => layer instanceof nn.ReLU || layer instanceof nn.GeneralRelu });
  const callbacks: Callback[] = [stats];
  if (cycle) callbacks.push(new OneCycle({ lrMax: lr, div: 25, finalDiv: 25e4 }));
  await learn.fit(short ? 1 : epochs, { callbacks });
  const course = learn.recorder.records.map(({ valid: figures }) => figures?.["accuracy"] ?? Number.NaN);
  courses[name] = course;
  const seconds = learn.recorder.records.reduce((sum, record) => sum + record.seconds, 0);
  const last = course[course.length - 1];
  console.log(`${i + 1}. ${name.padEnd(28)} accuracy ${last.toFixed(4)}  ${seconds.toFixed(1)} s`);
  await stats.colorDim({ title: name }).save(`runs/11-rung-${i + 1}.png`);
}

const finals = Object.fromEntries(Object.entries(courses).map(([name, course]) => [name, Math.max(...course)]));
await metricChart(courses, { title: "The ladder", yTitle: "validation accuracy" }).save("runs/11-ladder.svg");
await barChart(finals, { title: "Best of each rung", xTitle: "validation accuracy" }).save("runs/11-best.svg");
console.log("wrote runs/11-ladder.svg, runs/11-best.svg and the activations of each rung, runs/11-rung-*.png");

assert.ok(Object.values(courses).flat().every(Number.isFinite));
if (!short) {
  assert.ok(finals["batch norm, batches of 256"] >= 0.865, "batch norm and momentum: 0.865");
  assert.ok(finals["AdamW, one cycle"] >= 0.89, "one cycle: 0.89");
  assert.ok(finals["ResNet"] >= 0.92, "the residual network: 0.92");
}

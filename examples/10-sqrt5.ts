/**
 * Why √5? PyTorch starts convolutions by Kaiming's formula told of a leaky ReLU with slope √5, which leaves a sixth of the
 * variance that a ReLU needs. What that does to a network, layer by layer, and what Kaiming's own formula and LSUV do.
 *
 * Follows the lessons "Why sqrt(5)" and "LSUV" of fast.ai's part 2 (2019). With KINDLING_SHORT=1, or --short, nothing is
 * trained at the end.
 */
import assert from "node:assert/strict";
import { argv, env } from "node:process";
import { accuracy, F, Learner, manualSeed, nn, noGrad, randn, Tensor } from "kindling";
import { DataLoaders, mnistTensors, normalizeTo, TensorDataset } from "kindling/data";
import { Table } from "kindling/viz";

const short = env["KINDLING_SHORT"] === "1" || argv.includes("--short");
manualSeed(42);

const { train, valid } = await mnistTensors();
const scaled = normalizeTo(train.x.div(255), valid.x.div(255));
const images = scaled.valid.slice(0, 0, 100);

// --- One product ----------------------------------------------------------------------------------------------------

// Each output of a matrix sums as many terms as there are inputs: its variance is their number.
const [inputs, weights] = [randn([512, 1]), randn([512, 512])];
console.log(`variance of a product with 512 inputs: ${weights.matmul(inputs).var().item().toFixed(0)}`);

/** The deviation of a vector after 100 matrices, each multiplied by `scale`. */
function after100(scale: number): string {
  let x = randn([512, 1]);
  for (let i = 1; i <= 100; i++) {
    x = randn([512, 512]).mul(scale).matmul(x);
    if (!Number.isFinite(x.sum().item())) return `not finite after ${i}`;
  }
  return x.std().item().toPrecision(3);
}
console.log(`100 products: ${after100(1)}; by 0.01: ${after100(0.01)}; by 1/√512: ${after100(1 / Math.sqrt(512))}`);

// --- One convolution ------------------------------------------------------------------------------------------------

const conv = new nn.Conv2d(1, 32, 5);
const { fanIn } = nn.init.fanInAndFanOut(conv.weight);
const gain = (slope: number): number => nn.init.calculateGain("leakyRelu", slope);
const wanted = gain(0) / Math.sqrt(fanIn);
const got = gain(Math.sqrt(5)) / Math.sqrt(fanIn);
assert.ok(Math.abs(conv.weight.std().item() - got) < 0.01);
console.log(
  `\n1 → 32 channels, 5 × 5: weights have deviation ${conv.weight.std().item().toFixed(4)}; ` +
    `√5 says ${got.toFixed(4)}, a ReLU needs ${wanted.toFixed(4)}: ${((wanted / got) ** 2).toFixed(1)} times the variance`,
);

// --- Five layers ----------------------------------------------------------------------------------------------------

/** Convolutions of stride 2 with the course's channels, 5 × 5 first. */
function network(): nn.Sequential {
  const channels = [1, 8, 16, 32, 64, 64];
  const blocks = channels.slice(1).map((count, i) => {
    const kernel = i === 0 ? 5 : 3;
    const layer = new nn.Conv2d(channels[i], count, kernel, { stride: 2, padding: Math.floor(kernel / 2) });
    return new nn.Sequential(layer, new nn.GeneralRelu({ sub: 0 }));
  });
  return new nn.Sequential(...blocks, new nn.AdaptiveAvgPool2d(1), new nn.Flatten(), new nn.Linear(64, 10));
}

const convolutions = (model: nn.Module) => [...model.modules()].filter((layer) => layer instanceof nn.Conv2d);
const activations = (model: nn.Module) => [...model.modules()].filter((layer) => layer instanceof nn.GeneralRelu);

/** Kaiming's normal numbers for a ReLU, and no biases. */
function kaiming(model: nn.Sequential): nn.Sequential {
  for (const { weight, bias } of convolutions(model)) {
    nn.init.kaimingNormal_(weight);
    if (bias !== undefined) nn.init.zeros_(bias);
  }
  return model;
}

/** The same start, brought to mean 0 and deviation 1 by what the layers give for the images. */
function lsuv(model: nn.Sequential): nn.Sequential {
  const outputs = activations(model);
  const pairs = convolutions(model).map((layer, i) => ({ layer, output: outputs[i] }));
  for (const { path, iterations, converged } of nn.lsuv(model, images, { pairs })) {
    assert.ok(converged, `LSUV did not come to an end at ${path} in ${iterations} changes`);
  }
  return model;
}

interface Moments {
  readonly mean: number;
  readonly std: number;
}

/** Mean and deviation of each activation's output. */
function forwardMoments(model: nn.Sequential): Moments[] {
  const seen: Moments[] = [];
  const hooks = new nn.Hooks(activations(model), (_, __, output) => {
    if (output instanceof Tensor) seen.push({ mean: output.mean().item(), std: output.std().item() });
  });
  hooks.use(() => noGrad(() => model.forward(images)));
  return seen;
}

/** Deviation of the gradient of each convolution's weights. */
function gradientStds(model: nn.Sequential): number[] {
  F.crossEntropy(model.forward(images), valid.y.slice(0, 0, 100)).backward();
  const stds = convolutions(model).map(({ weight }) => weight.grad?.std().item() ?? Number.NaN);
  for (const p of model.parameters()) p.grad = undefined;
  return stds;
}

const starts: Readonly<Record<string, nn.Sequential>> = {
  "√5": network(),
  Kaiming: kaiming(network()),
  LSUV: lsuv(kaiming(network())),
};

for (const [name, model] of Object.entries(starts)) {
  console.log(`\n${name}: outputs of each layer for 100 images, and gradients of its weights`);
  const table = new Table([{ name: "layer", kind: "text" }, "mean", "std", "variance", "gradient std"]);
  const gradients = gradientStds(model);
  for (const [i, { mean, std }] of forwardMoments(model).entries()) {
    table.row({ layer: String(i + 1), mean, std, variance: std ** 2, "gradient std": gradients[i] });
  }
}

const lastStd = (model: nn.Sequential): number => forwardMoments(model)[4].std;
assert.ok(lastStd(starts["√5"]) < 0.15, "the default start shrinks what comes out");
assert.ok(lastStd(starts.Kaiming) > 3 * lastStd(starts["√5"]), "Kaiming's start shrinks less");
assert.ok(Math.abs(lastStd(starts.LSUV) - 1) < 1e-3, "after LSUV nothing shrinks");

// --- Does it matter? ------------------------------------------------------------------------------------------------

if (!short) {
  console.log("\nvalidation accuracy after one epoch of SGD at 0.6");
  const trainSet = new TensorDataset(scaled.train, train.y);
  const validSet = new TensorDataset(scaled.valid, valid.y);
  for (const [name, model] of Object.entries(starts)) {
    const dls = DataLoaders.fromDatasets(trainSet, validSet, { batchSize: 512, seed: 1 });
    const learn = new Learner(dls, model, { loss: F.crossEntropy, lr: 0.6, metrics: { accuracy }, progress: false });
    await learn.fit(1);
    console.log(`${name.padEnd(8)} ${learn.recorder.records[0].valid?.["accuracy"].toFixed(4)}`);
  }
}

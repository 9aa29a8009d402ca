import { Learner, nn, noGrad, Tensor } from "kindling";
import { mnist } from "kindling/data";
import { type Check, type Experiment, seedsUpTo, typically, within } from "../experiment.ts";
import { courseNetwork, generalBlock, initConvolutions } from "../networks.ts";
import { accuracies, options } from "../perceptron.ts";

async function learner(): Promise<Learner> {
  const dls = await mnist({ batchSize: 512, scale: 256 });
  const model = initConvolutions(courseNetwork([8, 16, 32, 64, 64], generalBlock({ sub: 0 })), 0.1);
  return new Learner(dls, model, { ...options, lr: 0.6 });
}

/** Each convolution and the activation after it. */
function convolutionsAndActivations(model: nn.Module): nn.LsuvPair[] {
  const modules = [...model.modules()];
  const convolutions = modules.filter((module) => module instanceof nn.Conv2d);
  const activations = modules.filter((module) => module instanceof nn.GeneralRelu);
  return convolutions.map((layer, i) => ({ layer, output: activations[i] }));
}

/** Accuracy after each of two epochs; guessing where the loss went to NaN. */
async function reached(learn: Learner): Promise<number[]> {
  await learn.fit(2);
  return accuracies(learn, 2).map((value) => (Number.isNaN(value) ? 0.1 : value));
}

/** Deviation of what each activation gives. */
function outputStds(model: Learner["model"], x: Tensor): number[] {
  const stds: number[] = [];
  const activations = [...model.modules()].filter((module) => module instanceof nn.GeneralRelu);
  const hooks = new nn.Hooks(activations, (_, __, output) => {
    if (output instanceof Tensor) stds.push(output.std().item());
  });
  hooks.use(() => noGrad(() => model.forward(x)));
  return stds;
}

async function firstInputs(learn: Learner): Promise<Tensor> {
  for await (const [xb] of learn.dls.train) return xb;
  throw new Error("there are no batches");
}

/** The source's two runs without LSUV reached .57 and .35. */
const gain: Check = {
  text: "gain, epoch 1 at least 0.2, every seed that does as poorly without LSUV as the source's (below 0.75) and survives",
  holds: (values) => {
    const [without, withLsuv] = [values("without, epoch 1"), values("with, epoch 1")];
    const poor = without.map((value, i) => [value, withLsuv[i]]).filter(([a, b]) => a < 0.75 && b > 0.1);
    return poor.every(([a, b]) => b - a >= 0.2);
  },
};

/**
 * Chance decides much here. Ten seeds in PyTorch 1.13, same settings: .11 to .95 after an epoch without LSUV (middle .86),
 * .87 to .97 with it, but three of the ten ended in NaN, as do some here: unit variance and a rate of 0.6 are a bold pair.
 */
const lsuv: Experiment = {
  id: "G",
  title: "The same start with and without LSUV, 2 epochs each",
  source: "fast.ai part 2 (2019), 07a_lsuv; James Dellinger's rerun",
  settings: {
    data: "MNIST 50,000/10,000, normalised",
    model: "1-8-16-32-64-64, 5 × 5 then 3 × 3, stride 2, GeneralRelu, mean, linear; Kaiming, normal",
    optimizer: "SGD",
    lr: 0.6,
    batchSize: 512,
    epochs: 2,
  },
  published: {
    "before, std by layer": ".691 .651 .536 .426 .247",
    "without, accuracy": ".5652 .9588; .3546 .8988",
    "with, accuracy": ".9548 .9733; .9510 .9718",
  },
  run: async () => {
    const plain = await learner();
    const scaled = await learner();
    scaled.model.loadStateDict(plain.model.stateDict());
    const x = await firstInputs(scaled);
    const before = outputStds(scaled.model, x);
    const results = nn.lsuv(scaled.model, x, { pairs: convolutionsAndActivations(scaled.model) });
    const without = await reached(plain);
    const withLsuv = await reached(scaled);
    return {
      "std before, first layer": before[0],
      "std before, last layer": before[4],
      "largest |mean| after": Math.max(...results.map(({ after }) => Math.abs(after.mean))),
      "largest |std − 1| after": Math.max(...results.map(({ after }) => Math.abs(after.std - 1))),
      "most changes": Math.max(...results.map(({ iterations }) => iterations)),
      "without, epoch 1": without[0],
      "without, epoch 2": without[1],
      "with, epoch 1": withLsuv[0],
      "with, epoch 2": withLsuv[1],
      "gain, epoch 1": withLsuv[0] - without[0],
    };
  },
  seeds: seedsUpTo(10),
  checks: [
    gain,
    typically("with, epoch 1", 0.94),
    typically("with, epoch 2", 0.965),
    within("largest |mean| after", 0, 1e-3),
    within("largest |std − 1| after", 0, 1e-3),
  ],
};

export const experiments: readonly Experiment[] = [lsuv];

import { Learner, nn, type Tensor } from "kindling";
import { mnist } from "kindling/data";
import { atLeast, type Experiment, within } from "../experiment.ts";
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

async function firstInputs(learn: Learner): Promise<Tensor> {
  for await (const [xb] of learn.dls.train) return xb;
  throw new Error("there are no batches");
}

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
    const results = nn.lsuv(scaled.model, await firstInputs(scaled), {
      pairs: convolutionsAndActivations(scaled.model),
    });
    const without = await reached(plain);
    const withLsuv = await reached(scaled);
    const last = results[results.length - 1];
    return {
      "std before, last layer": last.before.std,
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
  checks: [
    atLeast("gain, epoch 1", 0.2),
    atLeast("with, epoch 2", 0.96),
    within("largest |mean| after", 0, 1e-3),
    within("largest |std − 1| after", 0, 1e-3),
  ],
};

export const experiments: readonly Experiment[] = [lsuv];

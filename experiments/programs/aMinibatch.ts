import { accuracy } from "kindling";
import { atLeast, type Experiment, seedsUpTo, typically } from "../experiment.ts";
import { accuracies, losses, mnistLearner } from "../perceptron.ts";

/**
 * At this rate the last batch of an epoch, of 16 images, can spoil it. The source's bands, final ≥ .955 and best ≥ .962,
 * therefore hold for the middle seed of ten; ten seeds in PyTorch 1.13, same settings, gave final .906 to .972 (middle
 * .969), best .957 to .972 and worst .793 to .957.
 */
const minibatch: Experiment = {
  id: "A",
  title: "Mini-batch training from scratch, 5 epochs",
  source: "fast.ai part 2 (2019), 03_minibatch_training; James Dellinger's rerun",
  settings: {
    data: "MNIST 50,000/10,000, pixels/256",
    model: "784-50-ReLU-10",
    optimizer: "SGD",
    lr: 0.5,
    batchSize: 64,
    epochs: 5,
  },
  published: {
    "dl2, accuracy": ".9533 .8684 .9609 .9664 .9625",
    "Dellinger, accuracy": ".9006 .9634 .9616 .9670 .9691",
  },
  run: async () => {
    const learn = await mnistLearner(64, 0.5);
    await learn.fit(5);
    const course = accuracies(learn);
    return {
      final: course[4],
      best: Math.max(...course),
      worst: Math.min(...course),
      "final loss": losses(learn)[4],
      "last batch": accuracy(learn.preds, learn.yb),
    };
  },
  seeds: seedsUpTo(10),
  checks: [
    typically("final", 0.955),
    typically("best", 0.962),
    atLeast("final", 0.9),
    atLeast("best", 0.955),
    atLeast("last batch", 0.7),
  ],
};

/** With the last batch left out, as in the source's last variant, single seeds keep the bands nearly always. */
const fullBatches: Experiment = {
  ...minibatch,
  id: "A-full-batches",
  title: "The same, the last batch of 16 left out",
  settings: { ...minibatch.settings, dropLast: "yes" },
  run: async () => {
    const learn = await mnistLearner(64, 0.5, { dropLast: true });
    await learn.fit(5);
    const course = accuracies(learn);
    return { final: course[4], best: Math.max(...course), worst: Math.min(...course), "final loss": losses(learn)[4] };
  },
  checks: [typically("final", 0.955), atLeast("final", 0.945), atLeast("best", 0.962)],
};

export const experiments: readonly Experiment[] = [minibatch, fullBatches];

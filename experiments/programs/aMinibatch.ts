import { accuracy } from "kindling";
import { atLeast, type Experiment, typically } from "../experiment.ts";
import { accuracies, losses, mnistLearner } from "../perceptron.ts";

/** At this rate a last batch of 16 images can spoil an epoch, PyTorch's too; the band says so, and judges the rest. */
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
  checks: [typically("final", 0.955), atLeast("best", 0.962), atLeast("worst", 0.8), atLeast("last batch", 0.7)],
};

export const experiments: readonly Experiment[] = [minibatch];

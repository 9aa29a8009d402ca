import { type Callback, CancelFit } from "kindling";
import { atLeast, type Experiment, exactly, seedsUpTo, typically } from "../experiment.ts";
import { accuracies, losses, mnistLearner } from "../perceptron.ts";

const settings = {
  data: "MNIST 50,000/10,000, pixels/256",
  model: "784-50-ReLU-10",
  optimizer: "SGD",
  lr: 0.5,
  batchSize: 64,
};

const runner: Experiment = {
  id: "B",
  title: "The loop with callbacks: 1 epoch, then 3 in a row, then stopping after 10 steps",
  source: "fast.ai part 2 (2019), 04_callbacks; James Dellinger's rerun",
  settings,
  published: {
    "fit(1), loss/accuracy": ".2194/.9372, .2717/.9133",
    "after 3 epochs": ".1210/.9649, .1143/.9661",
  },
  run: async () => {
    const one = await mnistLearner(64, 0.5);
    await one.fit(1);
    const three = await mnistLearner(64, 0.5);
    await three.fit(2);
    await three.fit(1);
    let steps = 0;
    const tenSteps: Callback = {
      afterStep: () => {
        if (++steps >= 10) throw new CancelFit("10 steps");
      },
    };
    await three.fit(1, { callbacks: [tenSteps] });
    return {
      "accuracy, 1 epoch": accuracies(one)[0],
      "loss, 1 epoch": losses(one)[0],
      "accuracy, 3 epochs": accuracies(three)[2],
      "loss, 3 epochs": losses(three)[2],
      "best of 3": Math.max(...accuracies(three).slice(0, 3)),
      steps,
    };
  },
  // The source has no band; these are its printed figures less the spread of experiment A, and as many seeds.
  seeds: seedsUpTo(10),
  checks: [
    typically("accuracy, 1 epoch", 0.9),
    typically("accuracy, 3 epochs", 0.94),
    atLeast("best of 3", 0.95),
    exactly("steps", 10),
  ],
};

export const experiments: readonly Experiment[] = [runner];

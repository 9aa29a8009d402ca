import { type Callback, CancelFit } from "kindling";
import { type Experiment, exactly, within } from "../experiment.ts";
import { mnistLearner } from "../perceptron.ts";

const cancel: Experiment = {
  id: "D",
  title: "Stopping at a step, and the learning-rate finder",
  source: "fast.ai part 2 (2019), 05b_early_stopping; James Dellinger's rerun",
  settings: {
    data: "MNIST 50,000/10,000, pixels/256",
    model: "784-50-ReLU-10",
    batchSize: 512,
    finder: "1e-6 to 10, 100 batches",
  },
  published: {
    "steps until n_iter ≥ 10 is seen after a step": "0 … 10: 11",
    "finder stops at": "10 times the best loss",
  },
  run: async () => {
    const learn = await mnistLearner(512, 0.5);
    let steps = 0;
    // As in the source, the batch is counted when it ends, and the count looked at after the step before that.
    const tenIterations: Callback = {
      afterStep: (l) => {
        steps++;
        if (l.iteration >= 10) throw new CancelFit("10 iterations");
      },
    };
    await learn.fit(1, { callbacks: [tenIterations] });
    const fresh = await mnistLearner(512, 0.5);
    const before = fresh.model.parameters().map((p) => p.toTypedArray().join());
    const found = await fresh.lrFind({ startLr: 1e-6, endLr: 10, numIter: 100, stopAt: 10 });
    const after = fresh.model.parameters().map((p) => p.toTypedArray().join());
    return {
      steps,
      "finder batches": found.lrs.length,
      suggestion: found.suggestion,
      "changed parameters": before.filter((values, i) => values !== after[i]).length,
    };
  },
  checks: [
    exactly("steps", 11),
    within("finder batches", 50, 100),
    within("suggestion", 0.05, 1),
    exactly("changed parameters", 0),
  ],
};

export const experiments: readonly Experiment[] = [cancel];

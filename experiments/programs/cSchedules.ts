import {
  combineScheds,
  type LearnerOptions,
  ParamScheduler,
  type Schedule,
  schedCos,
  schedLin,
  schedNo,
} from "kindling";
import { type Check, type Experiment, exactly, within } from "../experiment.ts";
import { accuracies, losses, mnistLearner } from "../perceptron.ts";

/** A row of the source's table. */
interface Annealing {
  readonly id: string;
  /** The course of the learning rate in words. */
  readonly lr: string;
  /** One schedule per parameter group. */
  readonly schedules: readonly Schedule[];
  readonly published: string;
  readonly checks: readonly Check[];
  readonly options?: Partial<LearnerOptions>;
}

function experiment({ id, lr, schedules, published, checks, options }: Annealing): Experiment {
  return {
    id,
    title: `3 epochs, lr ${lr}`,
    source: "fast.ai part 2 (2019), 05_anneal; James Dellinger's rerun",
    settings: {
      data: "MNIST 50,000/10,000, pixels/256",
      model: "784-50-ReLU-10",
      optimizer: "SGD",
      lr,
      batchSize: 512,
      epochs: 3,
    },
    published: { accuracy: published },
    run: async () => {
      const learn = await mnistLearner(512, 0.5, options);
      await learn.fit(3, { callbacks: [new ParamScheduler({ lr: schedules })] });
      // The recorder keeps the hyper-parameters of the last group.
      const recorded = learn.recorder.hypers["lr"];
      const wanted = schedules[schedules.length - 1];
      return {
        accuracy: accuracies(learn)[2],
        loss: losses(learn)[2],
        "steps off schedule": recorded.filter((value, i) => Math.abs(value - wanted(i / recorded.length)) > 1e-12)
          .length,
      };
    },
    checks: [...checks, exactly("steps off schedule", 0)],
  };
}

const cosines = (scale: number): Schedule =>
  combineScheds([0.3, 0.7], [schedCos(0.3 * scale, 0.6 * scale), schedCos(0.6 * scale, 0.2 * scale)]);

const weightsAndBiases: NonNullable<LearnerOptions["splitter"]> = (model) => {
  const parameters = model.parameters();
  return [parameters.filter((p) => p.rank > 1), parameters.filter((p) => p.rank === 1)];
};

/**
 * The constant rates have bands as wide as the spread of seeds: of seventy in PyTorch 1.13, same settings, .9366 to .9455
 * (mean .942) at 0.5, where forty here gave .931 to .947; of thirty .9184 to .9297 (mean .926) at 0.3, where the two
 * printed runs lie low. The others' bands are the printed figures and a spread of .004.
 */
const rows: readonly Annealing[] = [
  {
    id: "C-0.5",
    lr: "0.5",
    schedules: [schedNo(0.5)],
    published: ".9397, .9388",
    checks: [within("accuracy", 0.928, 0.949)],
  },
  {
    id: "C-0.3",
    lr: "0.3",
    schedules: [schedNo(0.3)],
    published: ".9218, .9228",
    checks: [within("accuracy", 0.918, 0.932)],
  },
  {
    id: "C-cosine",
    lr: "0.3-0.6-0.2, cosines",
    schedules: [cosines(1)],
    published: ".9400, .9406",
    checks: [within("accuracy", 0.936, 0.944)],
  },
  {
    id: "C-linear",
    lr: "1 to 2, a line",
    schedules: [schedLin(1, 2)],
    published: ".9346",
    // A rate near 2 is on the edge: eight seeds in PyTorch gave .179 to .951, so the accuracy is shown, not judged.
    checks: [],
  },
  {
    id: "C-groups",
    lr: "weights 0.3-0.6-0.2, biases 0.9-1.8-0.6, cosines",
    schedules: [cosines(1), cosines(3)],
    published: ".9385",
    checks: [within("accuracy", 0.9345, 0.9445)],
    options: { splitter: weightsAndBiases },
  },
];

export const experiments: readonly Experiment[] = rows.map(experiment);

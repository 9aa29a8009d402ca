import { type Callback, combineScheds, Learner, ParamScheduler, schedCos } from "kindling";
import { mnist } from "kindling/data";
import { type Check, type Experiment, exactly, seedsUpTo, typically } from "../experiment.ts";
import { type Block, courseNetwork, generalBlock, initConvolutions, reluBlock } from "../networks.ts";
import { accuracies, losses, options } from "../perceptron.ts";

/** A row of the source's table. */
interface Row {
  readonly id: string;
  readonly title: string;
  readonly block: Block;
  /** Slope that Kaiming's formula is told; undefined for the layers' own start. */
  readonly slope?: number;
  readonly uniform?: boolean;
  readonly lr: number;
  readonly schedule?: Callback;
  readonly epochs: number;
  readonly published: string;
  readonly checks: readonly Check[];
  readonly seeds?: readonly number[];
}

function experiment(row: Row): Experiment {
  const { id, title, block, slope, uniform, lr, schedule, epochs, published, checks, seeds } = row;
  return {
    id,
    title: `${title}, ${epochs} epoch${epochs === 1 ? "" : "s"}`,
    source: "fast.ai part 2 (2019), 06_cuda_cnn_hooks_init; James Dellinger's rerun",
    settings: {
      data: "MNIST 50,000/10,000, normalised",
      model: "1-8-16-32-32, 5 × 5 then 3 × 3, stride 2, mean, linear: 15,594 parameters",
      optimizer: "SGD",
      lr: schedule === undefined ? lr : "0.2-1-0.1, cosines",
      batchSize: 512,
      epochs,
    },
    published: { accuracy: published },
    run: async () => {
      const dls = await mnist({ batchSize: 512, scale: 256 });
      const model = courseNetwork([8, 16, 32, 32], block);
      if (slope !== undefined) initConvolutions(model, slope, uniform);
      const learn = new Learner(dls, model, { ...options, lr });
      await learn.fit(epochs, { callbacks: schedule === undefined ? [] : [schedule] });
      const course = accuracies(learn, epochs);
      return {
        ...Object.fromEntries(course.map((value, epoch) => [`epoch ${epoch + 1}`, value])),
        accuracy: course[epochs - 1],
        best: Math.max(...course),
        loss: losses(learn, epochs)[epochs - 1],
        parameters: model.parameters().reduce((sum, p) => sum + p.numel(), 0),
      };
    },
    checks: [...checks, exactly("parameters", 15_594)],
    ...(seeds === undefined ? {} : { seeds }),
  };
}

const rise = new ParamScheduler({ lr: combineScheds([0.5, 0.5], [schedCos(0.2, 1), schedCos(1, 0.1)]) });

/**
 * The source has a band for the 8 epochs only. Rates near 1 are on the edge: a batch may blow the loss up, for good or for an
 * epoch. Twenty seeds of `E-uniform` in PyTorch 1.13 ended at .956 to .983, four below .978; forty of `E-normal` at .940 to
 * .984, seven below .978, and two at .099 (sixty of ours: four below, four diverged). From our weights and batches before
 * seed 43 of `E-uniform` and of `E-general` diverges, PyTorch diverges too, its losses ours to four digits until then. So
 * the middle seed of ten is judged.
 */
const rows: readonly Row[] = [
  {
    id: "E-default",
    title: "ReLU, the layers' own start",
    block: reluBlock,
    lr: 0.4,
    epochs: 3,
    published: ".8599 .9413 .9543; .7483 .9409 .9606; .9563",
    checks: [typically("accuracy", 0.93)],
  },
  {
    id: "E-kaiming",
    title: "ReLU, Kaiming",
    block: reluBlock,
    slope: 0,
    lr: 0.9,
    epochs: 2,
    published: ".9362 .9572",
    checks: [typically("accuracy", 0.93)],
  },
  {
    id: "E-general",
    title: "GeneralRelu (leak 0.1, less 0.4, at most 6), Kaiming",
    block: generalBlock({ leak: 0.1, sub: 0.4, max: 6 }),
    slope: 0.1,
    lr: 0.9,
    epochs: 2,
    published: ".9572 (1 epoch); .9566 .9698",
    checks: [typically("accuracy", 0.95)],
    seeds: seedsUpTo(10),
  },
  {
    id: "E-normal",
    title: "ReLU, Kaiming, normal",
    block: generalBlock(),
    slope: 0.1,
    lr: 1,
    schedule: rise,
    epochs: 8,
    published: ".8985 .8691 .9642 .9657 .9715 .9786 .9811 .9826; .9840",
    checks: [typically("accuracy", 0.978)],
    seeds: seedsUpTo(10),
  },
  {
    id: "E-uniform",
    title: "ReLU, Kaiming, uniform",
    block: generalBlock(),
    slope: 0.1,
    uniform: true,
    lr: 1,
    schedule: rise,
    epochs: 8,
    published: ".8952 .9407 .9660 .9567 .9778 .9769 .9809 .9822",
    checks: [typically("accuracy", 0.978)],
    seeds: seedsUpTo(10),
  },
];

export const experiments: readonly Experiment[] = rows.map(experiment);

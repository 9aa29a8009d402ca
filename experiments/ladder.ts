/** Rungs of miniai's ladder on Fashion-MNIST: from a perceptron to a residual network. */
import {
  BatchTransform,
  type Callback,
  Learner,
  MomentumLearner,
  type nn,
  normalize,
  OneCycle,
  optim,
  ParamScheduler,
  schedCos,
  type Tensor,
} from "kindling";

import { fashionMnist } from "kindling/data";
import { options } from "./perceptron.ts";

/** How a rung trains. */
export interface Recipe {
  readonly model: () => nn.Sequential;
  readonly lr: number;
  readonly epochs: number;
  /** Default 1024. */
  readonly batchSize?: number;
  /** Default plain SGD; "kept gradients" is miniai's MomentumLearner at 0.85. */
  readonly optimizer?: optim.OptimizerFactory | "kept gradients";
  /** What happens to the rate during the fit. Default nothing. */
  readonly schedule?: (lr: number) => Callback;
  /** Whether pixels become (x − 0.28)/0.35. Default true. */
  readonly normalized?: boolean;
}

const normalized = { xb: (x: Tensor) => normalize(x, 0.28, 0.35) };

/** A learner for a rung, ready to be fitted. */
export async function climber(recipe: Recipe, more: { readonly progress?: boolean } = {}): Promise<Learner> {
  const { model, lr, batchSize = 1024, optimizer } = recipe;
  const dls = await fashionMnist({ batchSize, normalize: false });
  const callbacks = (recipe.normalized ?? true) ? [new BatchTransform(normalized)] : [];
  const settings = { ...options, ...more, lr, callbacks };
  if (optimizer === "kept gradients") return new MomentumLearner(dls, model(), { ...settings, momentum: 0.85 });
  return new Learner(dls, model(), optimizer === undefined ? settings : { ...settings, optimizer });
}

/** Trains a rung. */
export async function climb(recipe: Recipe): Promise<Learner> {
  const learn = await climber(recipe);
  await learn.fit(recipe.epochs, { callbacks: recipe.schedule === undefined ? [] : [recipe.schedule(recipe.lr)] });
  return learn;
}

/** PyTorch's `OneCycleLR` with its defaults. */
export const oneCycle = (lrMax: number): Callback => new OneCycle({ lrMax, div: 25, finalDiv: 25e4 });

/** PyTorch's `CosineAnnealingLR`, a step per batch. */
export const cosine = (lr: number): Callback => new ParamScheduler({ lr: schedCos(lr, 0) });

/** PyTorch's AdamW. */
export const adamW: optim.OptimizerFactory = (params, { lr }) => optim.adamW(params, { lr });

/** miniai's momentum: `average = 0.9·average + 0.1·gradient`. */
export const dampenedMomentum: optim.OptimizerFactory = (params, { lr }) =>
  new optim.Optimizer(params, {
    name: "DampenedMomentum",
    stats: [optim.dampenedAverageGrad],
    steppers: [optim.momentumStep],
    hypers: { lr, momentum: 0.9 },
  });

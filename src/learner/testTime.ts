import { ArgumentError } from "../backend/errors.ts";
import type { AnyModule } from "../nn/module.ts";
import { stack } from "../tensor/functions.ts";
import { getRandomState, setRandomState } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Callback } from "./callback.ts";
import { gather, type Preds, type PredsOptions } from "./inference.ts";
import type { Learner } from "./learner.ts";

/** Keeps dropout at work in batches that are not trained on: in validation, `getPreds` and `predict`. */
export class TestTimeDropout implements Callback {
  private readonly _select: (module: AnyModule) => boolean;
  private _changed: AnyModule[] = [];

  /** @param select - The modules to keep in training mode. Default those whose class name contains `Dropout`. */
  constructor(select: (module: AnyModule) => boolean = (module) => module.constructor.name.includes("Dropout")) {
    this._select = select;
  }

  beforeBatch({ training, model }: Learner): void {
    if (training) return;
    this._changed = model.modules().filter((module) => !module.training && this._select(module));
    for (const module of this._changed) module.training = true;
  }

  cleanupBatch(): void {
    for (const module of this._changed) module.training = false;
    this._changed = [];
  }
}

/** What {@link testTimeDropout} gives. */
export interface DropoutPreds {
  /** Shapes: `[samples, n, …]`. */
  readonly samples: Tensor;
  /** Mean over the samples. */
  readonly mean: Tensor;
  /** Standard deviation over the samples: how unsure the model is. */
  readonly std: Tensor;
}

/** Options of {@link testTimeDropout}. */
export interface DropoutOptions extends Omit<PredsOptions, "withLoss"> {
  /** From 2. Default 10. */
  readonly samples?: number;
}

/**
 * Predictions for a loader several times over with dropout at work, whose spread shows how unsure the model is.
 * Changes nothing, as `getPreds`.
 *
 * @see Gal and Ghahramani 2016, Dropout as a Bayesian approximation, https://arxiv.org/abs/1506.02142.
 * @example
 * const model = new nn.Sequential(new nn.Dropout(0.5), new nn.Linear(4, 2));
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const learn = new Learner(DataLoaders.fromDatasets(data, data), model, { loss: F.crossEntropy });
 * (await testTimeDropout(learn, { samples: 5 })).samples.shape; // => [5, 8, 2]
 */
export async function testTimeDropout(learn: Learner, options: DropoutOptions = {}): Promise<DropoutPreds> {
  const { samples: count = 10, callbacks = [], ...rest } = options;
  checkCount("testTimeDropout", "samples", count, 2);
  const runs = await repeated(learn, count, () => ({ ...rest, callbacks: [...callbacks, new TestTimeDropout()] }));
  const samples = stack(runs.map(({ preds }) => preds));
  return { samples, mean: samples.mean(0), std: samples.std(0) };
}

/** Options of {@link testTimeAugmentation}. */
export interface AugmentationOptions extends PredsOptions {
  /** Augmented runs, from 1. Default 4. */
  readonly times?: number;
  /** Weight of the run without augmentation, 0 to 1. Default 0.25. */
  readonly beta?: number;
}

/**
 * Predictions for a loader averaged over augmented inputs and the inputs as they are. Changes nothing, as `getPreds`.
 *
 * @param augment - Goes over each batch of inputs before the callbacks do.
 * @see fastai: `Learner.tta`.
 */
export async function testTimeAugmentation(
  learn: Learner,
  augment: (x: Tensor) => Tensor,
  options: AugmentationOptions = {},
): Promise<Preds> {
  const { times = 4, beta = 0.25, callbacks = [], ...rest } = options;
  checkCount("testTimeAugmentation", "times", times, 1);
  if (!(beta >= 0 && beta <= 1))
    throw new ArgumentError("testTimeAugmentation", `beta lies between 0 and 1, got ${beta}.`);
  const augmenting: Callback = {
    name: "testTimeAugmentation",
    order: Number.NEGATIVE_INFINITY,
    beforeBatch: (run) => {
      run.xb = augment(run.xb);
    },
  };
  const [plain, ...augmented] = await repeated(learn, times + 1, (i) => ({
    ...rest,
    callbacks: i === 0 ? callbacks : [augmenting, ...callbacks],
  }));
  const mean = stack(augmented.map(({ preds }) => preds)).mean(0);
  return { ...plain, preds: mean.mul(1 - beta).add(plain.preds.mul(beta)) };
}

/** Runs with draws of their own, after which the random state is what it was. */
async function repeated(learn: Learner, count: number, options: (i: number) => PredsOptions): Promise<Preds[]> {
  const random = getRandomState();
  try {
    const runs: Preds[] = [];
    for (let i = 0; i < count; i++) runs.push(await gather(learn, options(i)));
    return runs;
  } finally {
    setRandomState(random);
  }
}

function checkCount(operation: string, name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new ArgumentError(operation, `${name} must be a whole number from ${least}, got ${value}.`);
}

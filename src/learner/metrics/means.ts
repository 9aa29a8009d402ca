import { ShapeError } from "../../backend/errors.ts";
import { l1, mse } from "../../nn/functional.ts";
import { noGrad } from "../../tensor/autograd/mode.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Json } from "../callback.ts";
import { averaged, type Metric, type MetricBatch, meanLoss } from "../metrics.ts";

/**
 * Mean of |prediction − target|.
 *
 * Shapes: two tensors of one number of elements.
 *
 * @throws {@link ShapeError} when they differ; nothing is broadcast.
 * @example
 * meanAbsoluteError(tensor([1, 4]), tensor([2, 2])); // => 1.5
 */
export function meanAbsoluteError(preds: Tensor, targets: Tensor): number {
  return noGrad(() => l1(alike("meanAbsoluteError", preds, targets), targets).item());
}

/**
 * Mean of (prediction − target)².
 *
 * Shapes: two tensors of one number of elements.
 *
 * @throws {@link ShapeError} when they differ; nothing is broadcast.
 * @example
 * meanSquaredError(tensor([1, 4]), tensor([2, 2])); // => 2.5
 */
export function meanSquaredError(preds: Tensor, targets: Tensor): number {
  return noGrad(() => mse(alike("meanSquaredError", preds, targets), targets).item());
}

/** A function of a mean over the whole pass, which is not the mean of the function over batches. */
abstract class FunctionOfMean implements Metric {
  private readonly _mean: Metric;

  constructor(mean: Metric) {
    this._mean = mean;
  }

  protected abstract finish(mean: number): number;

  reset(): void {
    this._mean.reset();
  }

  update(batch: MetricBatch): void {
    this._mean.update(batch);
  }

  value(): number {
    return this.finish(this._mean.value());
  }

  state(): Json {
    return this._mean.state();
  }

  loadState(state: Json): void {
    this._mean.loadState(state);
  }
}

/**
 * The root of the mean squared error of a whole pass.
 *
 * Shapes: preds and targets of one number of elements.
 *
 * @see scikit-learn: `root_mean_squared_error`.
 * @example
 * const rmse = new RootMeanSquaredError();
 * rmse.update({ preds: tensor([4]), targets: tensor([0]), loss: 0, count: 1 });
 * rmse.update({ preds: tensor([0, 1, 5]), targets: tensor([0, 1, 5]), loss: 0, count: 3 });
 * rmse.value(); // => 2
 */
export class RootMeanSquaredError extends FunctionOfMean {
  constructor() {
    super(averaged(meanSquaredError));
  }

  protected finish(mean: number): number {
    return Math.sqrt(mean);
  }
}

/**
 * How many equally likely choices the model has at each target: e to the mean cross-entropy of a whole pass.
 *
 * Shapes: any, for a loss that is a mean cross-entropy in nats.
 *
 * @see fastai: `Perplexity`.
 * @example
 * const perplexity = new Perplexity();
 * perplexity.update({ preds: zeros([2, 8]), targets: zeros([2]), loss: Math.log(8), count: 2 });
 * perplexity.value().toFixed(4); // => "8.0000"
 */
export class Perplexity extends FunctionOfMean {
  constructor() {
    super(meanLoss());
  }

  protected finish(mean: number): number {
    return Math.exp(mean);
  }
}

/** Predictions in the shape of the targets; `[n, 1]` against `[n]` would otherwise broadcast to `[n, n]`. */
function alike(operation: string, preds: Tensor, targets: Tensor): Tensor {
  if (preds.numel() === targets.numel()) return preds.reshape(targets.shape);
  throw new ShapeError(
    operation,
    `predictions [${preds.shape}] and targets [${targets.shape}] differ in size (${preds.numel()} ≠ ${targets.numel()}).`,
  );
}

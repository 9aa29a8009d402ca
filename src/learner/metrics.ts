import type { Tensor } from "../tensor/tensor.ts";
import type { Json } from "./callback.ts";
import { predictedClasses, type TwoClassOptions } from "./metrics/classes.ts";

/** What a metric sees of one batch. */
export interface MetricBatch {
  readonly preds: Tensor;
  readonly targets: Tensor;
  /** Mean loss of the batch, before any scaling or regularisation. */
  readonly loss: number;
  /** Samples (or tokens) in the batch: the weight of its means. */
  readonly count: number;
}

/** A figure gathered over a pass. */
export interface Metric {
  /** Forgets everything. */
  reset(): void;
  /** Takes in one batch. */
  update(batch: MetricBatch): void;
  /** The figure so far; NaN when nothing was taken in. */
  value(): number;
  /** What a checkpoint in the middle of a pass must keep. */
  state(): Json;
  loadState(state: Json): void;
}

/** A figure of one batch that is averaged over a pass, weighted by samples. */
export type BatchMetric = (preds: Tensor, targets: Tensor) => number | Tensor;

/**
 * The mean of a function of batches, weighted by their number of samples: an unfinished last batch counts for what it is.
 *
 * @example
 * const mean = new MeanMetric(() => 0.5);
 * mean.value(); // => NaN
 */
export class MeanMetric implements Metric {
  private readonly _fn: (batch: MetricBatch) => number;
  private _total = 0;
  private _count = 0;

  constructor(fn: (batch: MetricBatch) => number) {
    this._fn = fn;
  }

  reset(): void {
    this._total = 0;
    this._count = 0;
  }

  update(batch: MetricBatch): void {
    this._total += this._fn(batch) * batch.count;
    this._count += batch.count;
  }

  value(): number {
    return this._total / this._count;
  }

  state(): Json {
    return [this._total, this._count];
  }

  loadState(state: Json): void {
    if (!Array.isArray(state)) return;
    [this._total, this._count] = state.map(Number);
  }
}

/** The mean of the loss. */
export function meanLoss(): Metric {
  return new MeanMetric(({ loss }) => loss);
}

/** A function of one batch as a metric. */
export function averaged(fn: BatchMetric): Metric {
  return new MeanMetric(({ preds, targets }) => {
    const value = fn(preds, targets);
    return typeof value === "number" ? value : value.item();
  });
}

/**
 * Share of targets whose largest prediction is theirs.
 *
 * Shapes: preds `[n, …, c]` or `[n, c, …]`, targets `[n, …]`; with a threshold, preds and targets of one size.
 *
 * @throws {@link ShapeError} when the shapes do not fit.
 * @throws {@link ArgumentError} when two axes may be that of the classes; give `axis` then.
 * @example
 * accuracy(tensor([[0.1, 0.9], [0.8, 0.2]]), tensor([1, 1], { dtype: "int32" })); // => 0.5
 */
export function accuracy(preds: Tensor, targets: Tensor, options: TwoClassOptions = {}): number {
  const plain =
    preds.dtype === "float32" &&
    targets.dtype === "int32" &&
    preds.rank === 2 &&
    targets.rank === 1 &&
    preds.shape[0] === targets.shape[0] &&
    preds.numel() > 0 &&
    preds.numel() <= 1 << 16 &&
    preds.isContiguous() &&
    targets.isContiguous();
  if (plain && options.threshold === undefined && (options.axis ?? 1) === 1) return shareRight(preds, targets);
  const wanted = targets.toTypedArray();
  const best = predictedClasses("accuracy", preds, targets, options).toTypedArray();
  let right = 0;
  for (let i = 0; i < wanted.length; i++) if (best[i] === wanted[i]) right++;
  return right / wanted.length;
}

/** Share of the rows of a small matrix whose largest element is the wanted one: for so few numbers calling kernels takes longer. */
function shareRight(preds: Tensor, targets: Tensor): number {
  const values = preds.storage.elements("float32");
  const wanted = targets.storage.elements("int32");
  const [rows, columns] = preds.shape;
  let right = 0;
  for (let i = 0, start = preds.offset; i < rows; i++, start += columns) {
    let best = 0;
    let largest = values[start];
    for (let j = 1; j < columns; j++) {
      const value = values[start + j];
      if (!(value <= largest) && !Number.isNaN(largest)) {
        best = j;
        largest = value;
      }
    }
    if (best === wanted[targets.offset + i]) right++;
  }
  return right / rows;
}

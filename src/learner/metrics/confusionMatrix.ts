import { ArgumentError } from "../../backend/errors.ts";
import type { Json } from "../callback.ts";
import type { Metric, MetricBatch } from "../metrics.ts";
import { checkClass, classCount, predictedClasses, type TwoClassOptions } from "./classes.ts";

/** Options of metrics that count classes. */
export interface CountingOptions extends TwoClassOptions {
  /** A target that does not count. Default -100, as for the cross-entropy. */
  readonly ignoreIndex?: number;
}

/**
 * Counts how often each class was taken for each other over a pass; its value is the share that was right.
 *
 * Shapes: preds `[n, …, c]` or `[n, c, …]`, targets `[n, …]` of whole numbers; with a threshold, preds and targets of one
 * size and two classes.
 *
 * @throws {@link IndexError} for a target that is no class.
 * @see scikit-learn: `confusion_matrix`.
 * @example
 * const confusion = new ConfusionMatrix();
 * const preds = tensor([[1, 0], [1, 0], [0, 1]]);
 * confusion.update({ preds, targets: tensor([0, 1, 1], { dtype: "int32" }), loss: 0, count: 3 });
 * confusion.matrix(); // => [[1, 0], [1, 1]]
 */
export class ConfusionMatrix implements Metric {
  private readonly _options: CountingOptions;
  private _counts: number[][] = [];

  constructor(options: CountingOptions = {}) {
    this._options = options;
  }

  /** A copy of the counts: a row per true class, a column per predicted one; empty before the first batch. */
  matrix(): number[][] {
    return this._counts.map((row) => [...row]);
  }

  reset(): void {
    this._counts = [];
  }

  update({ preds, targets }: MetricBatch): void {
    const operation = "ConfusionMatrix";
    const classes = classCount(operation, preds, targets, this._options);
    if (this._counts.length === 0) this._counts = Array.from({ length: classes }, () => new Array(classes).fill(0));
    if (this._counts.length !== classes) {
      throw new ArgumentError(operation, `batches have ${classes} classes after others with ${this._counts.length}.`);
    }
    const predicted = predictedClasses(operation, preds, targets, this._options).toTypedArray();
    const actual = targets.toTypedArray();
    const { ignoreIndex = -100 } = this._options;
    for (const target of actual) if (target !== ignoreIndex) checkClass(operation, "target", target, classes);
    for (let i = 0; i < actual.length; i++) {
      if (actual[i] !== ignoreIndex) this._counts[actual[i]][predicted[i]]++;
    }
  }

  value(): number {
    let right = 0;
    let all = 0;
    this._counts.forEach((row, i) => {
      right += row[i];
      for (const count of row) all += count;
    });
    return right / all;
  }

  state(): Json {
    return this.matrix();
  }

  loadState(state: Json): void {
    if (!Array.isArray(state)) return;
    this._counts = state.map((row) => (Array.isArray(row) ? row.map(Number) : []));
  }
}

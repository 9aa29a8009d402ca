import { ArgumentError } from "../../backend/errors.ts";
import type { Json } from "../callback.ts";
import type { Metric, MetricBatch } from "../metrics.ts";
import { checkClass } from "./classes.ts";
import { ConfusionMatrix, type CountingOptions } from "./confusionMatrix.ts";

/** Options of {@link Precision}, {@link Recall}, {@link F1} and {@link Dice}. */
export interface ClassScoreOptions extends CountingOptions {
  /**
   * `"binary"`: the score of the positive class alone, for two classes. `"macro"`: the mean over all classes that occur
   * among targets or predictions. `"micro"`: of all classes' hits and misses together. Default "binary".
   */
  readonly average?: "binary" | "macro" | "micro";
  /** The positive class for "binary". Default 1. */
  readonly positive?: number;
}

/** Right and wrong predictions of a class: found, claimed in error, missed. */
interface Hits {
  readonly found: number;
  readonly claimed: number;
  readonly missed: number;
}

/** A score from the confusion matrix of a whole pass, which the mean of batches would not give. */
abstract class ClassScore implements Metric {
  private readonly _confusion: ConfusionMatrix;
  private readonly _average: "binary" | "macro" | "micro";
  private readonly _positive: number;

  constructor({ average = "binary", positive = 1, ...counting }: ClassScoreOptions = {}) {
    this._confusion = new ConfusionMatrix(counting);
    this._average = average;
    this._positive = positive;
  }

  protected abstract score(hits: Hits): number;

  reset(): void {
    this._confusion.reset();
  }

  update(batch: MetricBatch): void {
    this._confusion.update(batch);
  }

  value(): number {
    const hits = hitsOf(this._confusion.matrix());
    if (hits.length === 0) return Number.NaN;
    if (this._average === "micro") return this.score(hits.reduce(joined));
    if (this._average === "binary") return this.score(this.positive(hits));
    const occurring = hits.filter(({ found, claimed, missed }) => found + claimed + missed > 0);
    return occurring.reduce((sum, one) => sum + this.score(one), 0) / occurring.length;
  }

  state(): Json {
    return this._confusion.state();
  }

  loadState(state: Json): void {
    this._confusion.loadState(state);
  }

  private positive(hits: readonly Hits[]): Hits {
    const name = this.constructor.name;
    if (hits.length > 2) {
      throw new ArgumentError(name, `"binary" is for 2 classes, there are ${hits.length}. Use "macro" or "micro".`);
    }
    checkClass(name, "positive class", this._positive, hits.length);
    return hits[this._positive];
  }
}

/**
 * Of what was said to be a class, the share that is: found / (found + claimed in error); 0 where nothing was said.
 *
 * Shapes: as {@link ConfusionMatrix}.
 *
 * @see scikit-learn: `precision_score`.
 * @example
 * const precision = new Precision();
 * const targets = tensor([1, 0, 0], { dtype: "int32" });
 * precision.update({ preds: tensor([[0, 1], [0, 1], [1, 0]]), targets, loss: 0, count: 3 });
 * precision.value(); // => 0.5
 */
export class Precision extends ClassScore {
  protected score({ found, claimed }: Hits): number {
    return ratio(found, found + claimed);
  }
}

/**
 * Of what is of a class, the share that was found: found / (found + missed); 0 where there is nothing.
 *
 * Shapes: as {@link ConfusionMatrix}.
 *
 * @see scikit-learn: `recall_score`.
 * @example
 * const recall = new Recall();
 * const targets = tensor([1, 0, 0], { dtype: "int32" });
 * recall.update({ preds: tensor([[0, 1], [0, 1], [1, 0]]), targets, loss: 0, count: 3 });
 * recall.value(); // => 1
 */
export class Recall extends ClassScore {
  protected score({ found, missed }: Hits): number {
    return ratio(found, found + missed);
  }
}

/**
 * The harmonic mean of precision and recall; 0 where nothing was said and there is nothing.
 *
 * Shapes: as {@link ConfusionMatrix}.
 *
 * @see scikit-learn: `f1_score`.
 * @example
 * const f1 = new F1({ average: "micro" });
 * const targets = tensor([1, 0, 0, 0], { dtype: "int32" });
 * f1.update({ preds: tensor([[0, 1], [0, 1], [1, 0], [1, 0]]), targets, loss: 0, count: 4 });
 * f1.value(); // => 0.75
 */
export class F1 extends ClassScore {
  protected score({ found, claimed, missed }: Hits): number {
    return ratio(2 * found, 2 * found + claimed + missed);
  }
}

/**
 * How far predicted and true regions overlap, for segmentation: 2·|A ∩ B| / (|A| + |B|), over all pixels of a pass; 1
 * where both are empty.
 *
 * Shapes: as {@link ConfusionMatrix}: preds `[n, c, h, w]`, targets `[n, h, w]`; or one logit per pixel with a threshold.
 *
 * @see fastai: `Dice`, and `DiceMulti` for `average: "macro"`.
 * @example
 * const dice = new Dice({ threshold: 0 });
 * const targets = tensor([[1, 1], [0, 0]], { dtype: "int32" });
 * dice.update({ preds: tensor([[2, -1], [-3, -2]]), targets, loss: 0, count: 4 });
 * dice.value().toFixed(4); // => "0.6667"
 */
export class Dice extends ClassScore {
  protected score({ found, claimed, missed }: Hits): number {
    return ratio(2 * found, 2 * found + claimed + missed, 1);
  }
}

function hitsOf(matrix: readonly (readonly number[])[]): Hits[] {
  return matrix.map((row, i) => {
    const found = row[i];
    const actual = row.reduce((sum, count) => sum + count, 0);
    const predicted = matrix.reduce((sum, other) => sum + other[i], 0);
    return { found, claimed: predicted - found, missed: actual - found };
  });
}

function joined(a: Hits, b: Hits): Hits {
  return { found: a.found + b.found, claimed: a.claimed + b.claimed, missed: a.missed + b.missed };
}

function ratio(part: number, whole: number, ofNothing = 0): number {
  return whole === 0 ? ofNothing : part / whole;
}

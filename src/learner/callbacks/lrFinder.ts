import { ArgumentError } from "../../backend/errors.ts";
import type { LoaderState } from "../../data/loader.ts";
import { type FinderSuggestions, finderChart } from "../../viz/charts/finder.ts";
import type { Figure } from "../../viz/figure.ts";
import type { ChartOptions } from "../../viz/theme.ts";
import type { Callback } from "../callback.ts";
import { CancelFit } from "../cancel.ts";
import type { Learner } from "../learner.ts";
import { suggestLrs } from "../lrSuggestion.ts";
import { layAside } from "../snapshot.ts";

/** How a finder run goes. */
export interface LrFindOptions {
  /** Learning rate of the first batch, above 0. Default 1e-7. */
  readonly startLr?: number;
  /** Learning rate that is not passed, above `startLr`. Default 10. */
  readonly endLr?: number;
  /** Number of batches, from 2. Default 100, or as many as `factor` takes from `startLr` to `endLr`. */
  readonly numIter?: number;
  /** Growth of the rate from batch to batch, above 1. Default what leads from `startLr` to `endLr` in `numIter` batches. */
  readonly factor?: number;
  /** The run stops when the smoothed loss is this many times its smallest, above 1. Default 4. */
  readonly stopAt?: number;
  /** Weight of the past in the smoothed loss, 0 to below 1. Default 0.8. */
  readonly smoothing?: number;
}

/**
 * What a finder run has found.
 *
 * @see fastai: `Learner.lr_find`.
 */
export class LrFindResult {
  /** Learning rate of each batch. */
  readonly lrs: readonly number[];
  /** Smoothed loss of each batch. */
  readonly losses: readonly number[];
  /** Loss of each batch as it was; the last may not be finite. */
  readonly rawLosses: readonly number[];
  /**
   * Rates by the rules `valley` (half of the fall is done), `steepest` and `minimum` (a tenth of it); none when the loss
   * has not fallen.
   */
  readonly suggestions: FinderSuggestions;

  constructor(lrs: readonly number[], losses: readonly number[], rawLosses: readonly number[]) {
    this.lrs = lrs;
    this.losses = losses;
    this.rawLosses = rawLosses;
    this.suggestions = suggestLrs(lrs, rawLosses);
  }

  /** The rate to take: the valley's; NaN when the loss has not fallen. */
  get suggestion(): number {
    return this.suggestions.valley ?? Number.NaN;
  }

  /** Smoothed loss over the learning rate, with the suggestions. */
  plot(options: ChartOptions = {}): Figure {
    const { lrs, losses, suggestions } = this;
    return finderChart({ lrs, losses, suggestions }, options);
  }
}

/**
 * Lets the learning rate grow exponentially from batch to batch and watches the loss; ends the fit when the loss blows
 * up or is not finite, or the last rate is reached. `learn.lrFind()` uses it and puts everything back afterwards.
 *
 * @throws {@link ArgumentError} for options outside their ranges.
 * @see Smith 2017, section 3.3, https://arxiv.org/abs/1506.01186; fastai: `LRFinder`.
 */
export class LrFinder implements Callback {
  /** Before the NaN check, so that a blow-up is an end, not an accident. */
  readonly order = -15;
  readonly lrs: number[] = [];
  readonly losses: number[] = [];
  readonly rawLosses: number[] = [];
  /** Number of batches that a full run takes. */
  readonly length: number;
  private readonly _start: number;
  private readonly _factor: number;
  private readonly _stopAt: number;
  private readonly _smoothing: number;
  private _mean = 0;
  private _weight = 0;
  private _best = Number.POSITIVE_INFINITY;

  constructor(options: LrFindOptions = {}) {
    const { startLr = 1e-7, endLr = 10, numIter, stopAt = 4 } = options;
    check("startLr", startLr, startLr > 0, "above 0");
    check("endLr", endLr, endLr > startLr, "above startLr");
    check("numIter", numIter ?? 2, Number.isInteger(numIter ?? 2) && (numIter ?? 2) >= 2, "a whole number from 2");
    check("stopAt", stopAt, stopAt > 1, "above 1");
    const span = endLr / startLr;
    const factor = options.factor ?? span ** (1 / ((numIter ?? 100) - 1));
    check("factor", factor, factor > 1 && factor < Number.POSITIVE_INFINITY, "above 1");
    const reach = 1 + Math.floor(Math.log(span) / Math.log(factor) + 1e-9);
    this.length = Math.min(numIter ?? reach, reach);
    const smoothing = options.smoothing ?? 0.8;
    check("smoothing", smoothing, smoothing >= 0 && smoothing < 1, "0 to below 1");
    this._start = startLr;
    this._factor = factor;
    this._stopAt = stopAt;
    this._smoothing = smoothing;
  }

  /** The curve so far. */
  result(): LrFindResult {
    return new LrFindResult(this.lrs, this.losses, this.rawLosses);
  }

  afterLoss({ training, metrics }: Learner): void {
    if (!training) return;
    const loss = metrics.batchLoss;
    this.lrs.push(this._start * this._factor ** this.lrs.length);
    this.rawLosses.push(loss);
    this._mean = this._smoothing * this._mean + (1 - this._smoothing) * loss;
    this._weight = this._smoothing * this._weight + (1 - this._smoothing);
    const smooth = this._mean / this._weight;
    this.losses.push(smooth);
    if (!Number.isFinite(loss)) throw new CancelFit(`the loss is ${loss}`);
    if (smooth > this._stopAt * this._best) throw new CancelFit("the loss has blown up");
    this._best = Math.min(this._best, smooth);
    if (this.lrs.length >= this.length) throw new CancelFit("the last learning rate is reached");
  }

  /** After the schedulers, which set theirs before the batch. */
  beforeStep({ optimizer }: Learner): void {
    optimizer.setHyper("lr", this.lrs[this.lrs.length - 1]);
  }
}

/** See `Learner.lrFind`. */
export async function lrFind(learn: Learner, options: LrFindOptions = {}): Promise<LrFindResult> {
  const finder = new LrFinder(options);
  if (learn.running) throw new ArgumentError("lrFind", "the learner is running already; await the other call first.");
  const loader = learn.dls.train;
  if (loader.length === 0) throw new ArgumentError("lrFind", "the training loader has no batches.");
  const place = new LoaderPlace(loader.state());
  const restore = layAside(learn);
  try {
    const epochs = Math.ceil(finder.length / loader.length);
    await learn.fit(epochs, { valid: false, callbacks: [finder, place] });
  } finally {
    restore();
    loader.setState(place.start);
  }
  return finder.result();
}

/** Notes where the loader began: one that was left in the middle of an epoch goes on there, or with the next epoch. */
class LoaderPlace implements Callback {
  readonly order = Number.NEGATIVE_INFINITY;
  start: LoaderState;
  private _begun = false;

  constructor(start: LoaderState) {
    this.start = start;
  }

  beforeBatch({ dls, iteration }: Learner): void {
    if (this._begun || iteration > 0) return;
    this._begun = true;
    const { seed, epoch, position } = dls.train.state();
    this.start = { seed, epoch, position: position - 1 };
  }
}

function check(name: string, value: number, holds: boolean, wanted: string): void {
  if (!holds || Number.isNaN(value)) throw new ArgumentError("lrFind", `${name} must be ${wanted}, got ${value}.`);
}

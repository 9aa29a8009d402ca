import { type LossChartOptions, lossChart } from "../../viz/charts/loss.ts";
import { type MetricChartOptions, metricChart } from "../../viz/charts/metric.ts";
import { scheduleChart } from "../../viz/charts/schedule.ts";
import type { Figure } from "../../viz/figure.ts";
import type { ChartOptions } from "../../viz/theme.ts";
import type { Callback } from "../callback.ts";
import type { Learner } from "../learner.ts";

/** Figures of one pass by name, the mean loss under `loss`. */
export type Figures = Readonly<Record<string, number>>;

/** What is known of one epoch. */
export interface EpochRecord {
  readonly epoch: number;
  readonly train: Figures | undefined;
  readonly valid: Figures | undefined;
  readonly seconds: number;
}

/** Keeps what happened: the loss and hyper-parameters of every step, and figures of every epoch, over all fits. */
export class Recorder implements Callback {
  readonly order = 50;
  readonly watches = true;
  /** One entry per epoch. */
  readonly records: EpochRecord[] = [];
  /** Loss of every training batch. */
  readonly losses: number[] = [];
  /** Exponential mean of the losses, freed of its start at 0. */
  readonly smoothLosses: number[] = [];
  /** Each hyper-parameter at every training batch, for the last group; `lr`, `momentum`, …. */
  readonly hypers: Record<string, number[]> = {};
  /** Validation losses with the number of training batches before them. */
  readonly validLosses: { readonly iteration: number; readonly loss: number }[] = [];
  private _train: Figures | undefined;
  private _valid: Figures | undefined;
  private _started = 0;
  private _mean = 0;

  beforeEpoch(): void {
    this._train = undefined;
    this._valid = undefined;
    this._started = performance.now();
  }

  beforeStep(learn: Learner): void {
    const { hypers } = learn.optimizer.paramGroups[learn.optimizer.paramGroups.length - 1];
    for (const [name, value] of Object.entries(hypers)) {
      this.hypers[name] ??= [];
      this.hypers[name].push(value);
    }
  }

  afterBatch(learn: Learner): void {
    if (!learn.training) return;
    const loss = learn.metrics.batchLoss;
    this.losses.push(loss);
    this._mean = 0.98 * this._mean + 0.02 * loss;
    this.smoothLosses.push(this._mean / (1 - 0.98 ** this.losses.length));
  }

  afterPass(learn: Learner): void {
    const figures = learn.metrics.values();
    if (learn.training) {
      this._train = figures;
      return;
    }
    this._valid = figures;
    this.validLosses.push({ iteration: this.losses.length, loss: figures["loss"] });
  }

  afterEpoch(learn: Learner): void {
    this.record(learn);
  }

  afterCancelEpoch(learn: Learner): void {
    this.record(learn);
  }

  /** Loss of every training batch, its smoothed course, and the validation losses. */
  plotLoss(options: LossChartOptions = {}): Figure {
    return lossChart({ train: this.losses, smooth: this.smoothLosses, valid: this.validLosses }, options);
  }

  /**
   * The course of hyper-parameters over the training batches.
   *
   * @param names - Default those that changed, or the learning rate if none did.
   */
  plotSchedule(names?: readonly string[], options: ChartOptions = {}): Figure {
    const changed = Object.keys(this.hypers).filter((name) => this.hypers[name].some((v, _, all) => v !== all[0]));
    const shown = names ?? (changed.length > 0 ? changed : ["lr"]);
    return scheduleChart(Object.fromEntries(shown.map((name) => [name, this.hypers[name] ?? []])), options);
  }

  /**
   * Metrics of training and validation, a point per epoch.
   *
   * @param names - Default all but the loss; the loss if there is nothing else.
   */
  plotMetrics(names?: readonly string[], options: MetricChartOptions = {}): Figure {
    const all = [...new Set(this.records.flatMap(({ train, valid }) => Object.keys({ ...train, ...valid })))];
    const metrics = all.filter((name) => name !== "loss");
    const shown = names ?? (metrics.length > 0 ? metrics : ["loss"]);
    const lines: Record<string, number[]> = {};
    for (const pass of ["train", "valid"] as const) {
      if (this.records.every((record) => record[pass] === undefined)) continue;
      for (const name of shown) {
        lines[`${pass} ${name}`] = this.records.map((record) => record[pass]?.[name] ?? Number.NaN);
      }
    }
    return metricChart(lines, { yTitle: shown.length === 1 ? shown[0] : "value", ...options });
  }

  private record({ epoch }: Learner): void {
    const seconds = (performance.now() - this._started) / 1000;
    this.records.push({ epoch, train: this._train, valid: this._valid, seconds });
  }
}

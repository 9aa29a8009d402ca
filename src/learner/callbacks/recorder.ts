import { isRecord } from "../../io/json.ts";
import { type LossChartOptions, lossChart } from "../../viz/charts/loss.ts";
import { type MetricChartOptions, metricChart } from "../../viz/charts/metric.ts";
import { scheduleChart } from "../../viz/charts/schedule.ts";
import type { Figure } from "../../viz/figure.ts";
import type { ChartOptions } from "../../viz/theme.ts";
import type { Callback, Json } from "../callback.ts";
import type { Learner } from "../learner.ts";

/** Figures of one pass by name, the mean loss under `loss`. */
export type Figures = Readonly<Record<string, number>>;

/** What is known of one epoch. */
export interface EpochRecord {
  readonly epoch: number;
  readonly train: Figures | undefined;
  readonly valid: Figures | undefined;
  readonly seconds: number;
  /** Why the fit ended in or after this epoch, where it ended early. */
  readonly stopReason?: string;
}

/** Keeps what happened: the loss and hyper-parameters of every step, and figures of every epoch, over all fits. */
export class Recorder implements Callback {
  readonly order = -15;
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
  private _isOpen = false;
  /** How the last record tells of a fit that ended early, which it does no more when that fit is resumed. */
  private _cut: "record" | "reason" | null = null;
  private _started = 0;
  private _mean = 0;

  beforeFit(): void {
    this._cut = null;
    this._isOpen = false;
  }

  beforeEpoch(): void {
    this.heal();
    this._train = undefined;
    this._valid = undefined;
    this._isOpen = true;
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
    this.heal();
    const figures = learn.metrics.values();
    if (learn.training) {
      this._train = figures;
      return;
    }
    this._valid = figures;
    this.validLosses.push({ iteration: this.losses.length, loss: figures["loss"] });
  }

  afterEpoch(learn: Learner): void {
    this.heal();
    this.record(learn);
  }

  afterCancelEpoch(learn: Learner): void {
    this.heal();
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

  afterCancelFit(learn: Learner): void {
    this.heal();
    const stopReason = learn.stopReason ?? "cancelled";
    const last = this.records.at(-1);
    this._cut = this._isOpen || last === undefined ? "record" : "reason";
    if (this._isOpen || last === undefined) this.record(learn, { stopReason });
    else this.records[this.records.length - 1] = { ...last, stopReason };
  }

  state(): Json {
    return {
      records: this.records.map(({ train = null, valid = null, ...rest }) => ({ ...rest, train, valid })),
      losses: [...this.losses],
      smoothLosses: [...this.smoothLosses],
      hypers: Object.fromEntries(Object.entries(this.hypers).map(([name, values]) => [name, [...values]])),
      validLosses: [...this.validLosses],
      mean: this._mean,
      train: this._train ?? null,
      seconds: (performance.now() - this._started) / 1000,
      cut: this._cut,
    };
  }

  loadState(state: Json): void {
    if (!isRecord(state)) return;
    const { records, losses, smoothLosses, hypers, validLosses, mean, train, seconds, cut } = state;
    refill(this.records, records, recordOf);
    refill(this.losses, losses, Number);
    refill(this.smoothLosses, smoothLosses, Number);
    refill(this.validLosses, validLosses, (entry) => {
      const { iteration, loss } = figuresOf(entry) ?? {};
      return { iteration, loss };
    });
    for (const name of Object.keys(this.hypers)) delete this.hypers[name];
    for (const [name, values] of isRecord(hypers) ? Object.entries(hypers) : []) {
      this.hypers[name] = [];
      refill(this.hypers[name], values, Number);
    }
    this._mean = Number(mean);
    this._train = figuresOf(train);
    this._started = performance.now() - Number(seconds) * 1000;
    this._cut = cut === "record" || cut === "reason" ? cut : null;
  }

  private heal(): void {
    const last = this._cut === null ? undefined : this.records.pop();
    if (this._cut === "reason" && last !== undefined) {
      const { stopReason: _, ...record } = last;
      this.records.push(record);
    }
    this._cut = null;
  }

  private record({ epoch }: Learner, why: { readonly stopReason?: string } = {}): void {
    const seconds = (performance.now() - this._started) / 1000;
    this._isOpen = false;
    this.records.push({ epoch, train: this._train, valid: this._valid, seconds, ...why });
  }
}

/** Puts the entries of a list that was saved in the place of others. */
function refill<T>(target: T[], saved: Json | undefined, read: (entry: Json) => T): void {
  target.length = 0;
  if (Array.isArray(saved)) for (const entry of saved) target.push(read(entry));
}

function recordOf(saved: Json): EpochRecord {
  const { epoch, train, valid, seconds, stopReason } = isRecord(saved) ? saved : {};
  const why = typeof stopReason === "string" ? { stopReason } : {};
  return { epoch: Number(epoch), train: figuresOf(train), valid: figuresOf(valid), seconds: Number(seconds), ...why };
}

function figuresOf(saved: Json | undefined): Figures | undefined {
  if (!isRecord(saved)) return undefined;
  return Object.fromEntries(Object.entries(saved).map(([name, value]) => [name, Number(value)]));
}

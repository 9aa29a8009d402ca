import { ArgumentError } from "../../backend/errors.ts";
import type { Callback, Json } from "../callback.ts";
import type { Learner } from "../learner.ts";
import { averaged, type BatchMetric, type Metric, meanLoss } from "../metrics.ts";

/**
 * Gathers the mean loss and any metrics over each pass, weighted by samples.
 *
 * The loss is read before other callbacks scale it or add to it.
 */
export class MetricsCallback implements Callback {
  readonly order = -20;
  private readonly _metrics: ReadonlyMap<string, Metric>;
  private _loss = Number.NaN;

  constructor(metrics: Readonly<Record<string, BatchMetric | Metric>> = {}) {
    if (Object.hasOwn(metrics, "loss"))
      throw new ArgumentError("metrics", 'the name "loss" is taken by the mean loss.');
    const named = Object.entries(metrics).map(([name, metric]): [string, Metric] => [
      name,
      typeof metric === "function" ? averaged(metric) : metric,
    ]);
    this._metrics = new Map([["loss", meanLoss()], ...named]);
  }

  /** Names in order, the loss first. */
  names(): string[] {
    return [...this._metrics.keys()];
  }

  /** The figures of the present pass so far. */
  values(): Record<string, number> {
    return Object.fromEntries([...this._metrics].map(([name, metric]) => [name, metric.value()]));
  }

  /** Loss of the latest batch, unscaled. */
  get batchLoss(): number {
    return this._loss;
  }

  beforePass(): void {
    for (const metric of this._metrics.values()) metric.reset();
  }

  afterLoss(learn: Learner): void {
    this._loss = learn.loss.item();
  }

  afterBatch(learn: Learner): void {
    const { preds, yb: targets } = learn;
    const batch = { preds: preds.detach(), targets, loss: this._loss, count: Math.max(1, targets.numel()) };
    for (const metric of this._metrics.values()) metric.update(batch);
  }

  state(): Json {
    return Object.fromEntries([...this._metrics].map(([name, metric]) => [name, metric.state()]));
  }

  loadState(state: Json): void {
    if (typeof state !== "object" || state === null || Array.isArray(state)) return;
    for (const [name, part] of Object.entries(state)) this._metrics.get(name)?.loadState(part);
  }
}

import { warn } from "#platform";
import { ArgumentError } from "../../backend/errors.ts";
import type { Callback, Json } from "../callback.ts";
import { CancelFit } from "../cancel.ts";
import type { Learner } from "../learner.ts";
import { BestWeights } from "./bestWeights.ts";
import { field, Monitor, type MonitorOptions } from "./monitor.ts";

/** Options of {@link EarlyStopping}. */
export interface EarlyStoppingOptions extends MonitorOptions {
  /** Epochs without an improvement after which the fit ends, from 1. Default 3. */
  readonly patience?: number;
  /**
   * Whether the fit ends with the weights of the best epoch. They are held in memory, so a resumed run knows them from its
   * first improvement on only; `SaveBest` with a path knows them always. Default false.
   */
  readonly restoreBest?: boolean;
}

/**
 * Ends the fit when a figure has not improved for some epochs.
 *
 * @throws {@link ArgumentError} for a patience below 1, or a figure other than a loss without `mode`.
 * @see Keras: EarlyStopping; fastai: EarlyStoppingCallback.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const learn = new Learner(DataLoaders.fromDatasets(data, data), new nn.Linear(4, 2), { loss: F.crossEntropy, lr: 0 });
 * await learn.fit(10, { callbacks: [new EarlyStopping({ patience: 2 })] });
 * learn.recorder.records.length; // => 3
 */
export class EarlyStopping implements Callback {
  /** Last of all, so that the others have seen the epoch that ends the fit. */
  readonly order = 500;
  /** Epochs since the last improvement. */
  waited = 0;
  private readonly _monitor: Monitor;
  private readonly _patience: number;
  private readonly _weights: BestWeights | undefined;

  constructor({ patience = 3, restoreBest = false, ...monitor }: EarlyStoppingOptions = {}) {
    if (!(patience >= 1))
      throw new ArgumentError("EarlyStopping", `patience must be a number from 1, got ${patience}.`);
    this._monitor = new Monitor("EarlyStopping", monitor);
    this._patience = patience;
    this._weights = restoreBest ? new BestWeights() : undefined;
  }

  /** The best figure so far and its epoch. */
  get best(): { readonly value: number; readonly epoch: number } | undefined {
    return this._monitor.best;
  }

  beforeFit(learn: Learner): void {
    this._monitor.reset(learn);
    this._weights?.clear();
    this.waited = 0;
  }

  async afterEpoch(learn: Learner): Promise<void> {
    const value = this._monitor.value(learn);
    if (value === undefined) return;
    if (this._monitor.improves(value, learn.epoch)) {
      this.waited = 0;
      await this._weights?.save(learn.model, {});
      return;
    }
    this.waited++;
    if (this.waited < this._patience || learn.epoch === learn.epochs - 1) return;
    const best = this.best === undefined ? "" : ` since ${this.best.value} in epoch ${this.best.epoch}`;
    throw new CancelFit(`${this._monitor.name} has not improved${best}`);
  }

  async afterFit(learn: Learner): Promise<void> {
    await this.restore(learn);
  }

  async afterCancelFit(learn: Learner): Promise<void> {
    await this.restore(learn);
  }

  cleanupFit(): void {
    this._weights?.clear();
  }

  state(): Json {
    return { best: this._monitor.state(), waited: this.waited };
  }

  loadState(state: Json): void {
    this._monitor.loadState(field(state, "best"));
    this.waited = Number(field(state, "waited") ?? 0);
  }

  private async restore({ model }: Learner): Promise<void> {
    if (this._weights === undefined || this.best === undefined) return;
    if (await this._weights.restore(model)) return;
    warn(
      `kindling: EarlyStopping: the best weights, of epoch ${this.best.epoch}, were held by the run before this one; the last ones stay.`,
    );
  }
}

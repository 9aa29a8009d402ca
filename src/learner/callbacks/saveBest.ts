import { warn } from "#platform";
import type { Callback, Json } from "../callback.ts";
import type { Learner } from "../learner.ts";
import { BestWeights } from "./bestWeights.ts";
import { Monitor, type MonitorOptions } from "./monitor.ts";

/** Options of {@link SaveBest}. */
export interface SaveBestOptions extends MonitorOptions {
  /** A safetensors file for the weights, which also a resumed run finds again. Default none: they are held in memory. */
  readonly path?: string;
  /** Whether the fit ends with the best weights. Default false. */
  readonly restore?: boolean;
}

/**
 * Keeps the weights of the epoch in which a figure was best.
 *
 * A file is written whenever the figure improves and holds epoch and figure as metadata; it is replaced as a whole.
 *
 * @throws {@link ArgumentError} for a figure other than a loss without `mode`.
 * @see fastai: SaveModelCallback.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const best = new SaveBest({ monitor: "valid.accuracy", mode: "max" });
 * const options = { loss: F.crossEntropy, metrics: { accuracy } };
 * const learn = new Learner(DataLoaders.fromDatasets(data, data), new nn.Linear(4, 2), options);
 * await learn.fit(3, { callbacks: [best] });
 * await best.load(learn.model);
 * (await learn.validate()).accuracy === best.best?.value; // => true
 */
export class SaveBest implements Callback {
  readonly order = 200;
  readonly watches = true;
  private readonly _monitor: Monitor;
  private readonly _weights: BestWeights;
  private readonly _restore: boolean;

  constructor({ path, restore = false, ...monitor }: SaveBestOptions = {}) {
    this._monitor = new Monitor("SaveBest", monitor);
    this._weights = new BestWeights(path);
    this._restore = restore;
  }

  /** The best figure so far and its epoch. */
  get best(): { readonly value: number; readonly epoch: number } | undefined {
    return this._monitor.best;
  }

  /** Puts the best weights into a model. @returns whether there were any. */
  async load(model: Learner["model"]): Promise<boolean> {
    return this.best !== undefined && (await this._weights.restore(model));
  }

  beforeFit(learn: Learner): void {
    this._monitor.reset(learn);
    this._weights.clear();
  }

  async afterEpoch(learn: Learner): Promise<void> {
    const value = this._monitor.value(learn);
    if (value === undefined || !this._monitor.improves(value, learn.epoch)) return;
    await this._weights.save(learn.model, { epoch: String(learn.epoch), value: String(value) });
  }

  async afterFit(learn: Learner): Promise<void> {
    await this.restore(learn);
  }

  async afterCancelFit(learn: Learner): Promise<void> {
    await this.restore(learn);
  }

  state(): Json {
    return this._monitor.state();
  }

  loadState(state: Json): void {
    this._monitor.loadState(state);
  }

  private async restore({ model }: Learner): Promise<void> {
    if (!this._restore || this.best === undefined || (await this.load(model))) return;
    warn(
      `kindling: SaveBest: the best weights, of epoch ${this.best.epoch}, were held by the run before this one; give a path to keep them.`,
    );
  }
}

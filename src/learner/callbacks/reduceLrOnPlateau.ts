import { ArgumentError } from "../../backend/errors.ts";
import type { Callback, Json } from "../callback.ts";
import type { Learner } from "../learner.ts";
import { field, Monitor, type MonitorOptions } from "./monitor.ts";

/** Options of {@link ReduceLrOnPlateau}. */
export interface ReduceLrOnPlateauOptions extends MonitorOptions {
  /** What learning rates are multiplied by, between 0 and 1. Default 0.1. */
  readonly factor?: number;
  /** Epochs without an improvement after which rates fall, from 1. Default 3. */
  readonly patience?: number;
  /** Epochs after a fall that are not counted, from 0. Default 0. */
  readonly cooldown?: number;
  /** Rates fall no lower than this, from 0. Default 0. */
  readonly minLr?: number;
}

/**
 * Lowers the learning rates of all groups when a figure has not improved for some epochs.
 *
 * @throws {@link ArgumentError} for a factor outside 0 to 1, or a figure other than a loss without `mode`.
 * @see PyTorch: `ReduceLROnPlateau`; fastai: ReduceLROnPlateau.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const dls = DataLoaders.fromDatasets(data, data);
 * const learn = new Learner(dls, new nn.Linear(4, 2).requiresGrad_(false), { loss: F.crossEntropy });
 * const reduce = new ReduceLrOnPlateau({ patience: 2, factor: 0.5 });
 * await learn.fit(5, { train: false, lr: 0.4, callbacks: [reduce] });
 * learn.optimizer.paramGroups[0].hypers.lr; // => 0.1
 */
export class ReduceLrOnPlateau implements Callback {
  readonly order = 60;
  private readonly _monitor: Monitor;
  private readonly _factor: number;
  private readonly _patience: number;
  private readonly _cooldown: number;
  private readonly _minLr: number;
  private _waited = 0;
  private _cooling = 0;

  constructor(options: ReduceLrOnPlateauOptions = {}) {
    const { factor = 0.1, patience = 3, cooldown = 0, minLr = 0, ...monitor } = options;
    if (!(factor > 0 && factor < 1)) {
      throw new ArgumentError("ReduceLrOnPlateau", `factor must lie between 0 and 1, got ${factor}.`);
    }
    if (!(patience >= 1)) {
      throw new ArgumentError("ReduceLrOnPlateau", `patience must be a number from 1, got ${patience}.`);
    }
    this._monitor = new Monitor("ReduceLrOnPlateau", monitor);
    this._factor = factor;
    this._patience = patience;
    this._cooldown = cooldown;
    this._minLr = minLr;
  }

  beforeFit(learn: Learner): void {
    this._monitor.reset(learn);
    this._waited = 0;
    this._cooling = 0;
  }

  afterEpoch(learn: Learner): void {
    const value = this._monitor.value(learn);
    if (value === undefined) return;
    const isBetter = this._monitor.improves(value, learn.epoch);
    const isCooling = this._cooling > 0;
    if (isCooling) this._cooling--;
    this._waited = isBetter || isCooling ? 0 : this._waited + 1;
    if (this._waited < this._patience) return;
    for (const { hypers } of learn.optimizer.paramGroups) {
      // A rate that is below the floor already stays as it is.
      hypers.lr = Math.min(hypers.lr, Math.max(hypers.lr * this._factor, this._minLr));
    }
    this._waited = 0;
    this._cooling = this._cooldown;
  }

  state(): Json {
    return { best: this._monitor.state(), waited: this._waited, cooling: this._cooling };
  }

  loadState(state: Json): void {
    this._monitor.loadState(field(state, "best"));
    this._waited = Number(field(state, "waited") ?? 0);
    this._cooling = Number(field(state, "cooling") ?? 0);
  }
}

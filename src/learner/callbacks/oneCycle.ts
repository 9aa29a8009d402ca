import { ArgumentError } from "../../backend/errors.ts";
import type { Schedule } from "../../optim/schedules/annealers.ts";
import { cos1cycleAnneal } from "../../optim/schedules/cycles.ts";
import { combineScheds, createPhases } from "../../optim/schedules/phases.ts";
import type { Callback } from "../callback.ts";
import type { Learner } from "../learner.ts";
import { ParamScheduler } from "./paramScheduler.ts";

/** The shape of a {@link OneCycle}. */
export interface OneCycleOptions {
  /** Learning rate at the top, one for all groups or one per group; 0 keeps a group still. Default the learner's. */
  readonly lrMax?: number | readonly number[];
  /** Share of the fit until the top, 0 to 1. Default 0.3. */
  readonly pctStart?: number;
  /** The fit starts at `lrMax / div`, above 0. Default 10. */
  readonly div?: number;
  /** The fit ends at `lrMax / finalDiv`, above 0. Default 1e5. */
  readonly finalDiv?: number;
  /**
   * Momentum at the start, at the top and at the end, 0 to 1; false leaves it as it is. Default 0.95, 0.85, 0.95 for
   * optimizers that have momentum.
   */
  readonly momentum?: readonly [start: number, top: number, end: number] | false;
}

/**
 * Smith's one-cycle policy: the learning rate rises and falls along cosines while momentum goes the other way.
 *
 * @throws {@link ArgumentError} for divisors not above 0; before the first batch, when `momentum` is given to an optimizer
 * without it, or there are not as many rates as groups.
 * @see Smith 2018, section 4, https://arxiv.org/abs/1803.09820; fastai: `sched_1cycle` (part 2, 2019), whose defaults
 * these are; `fit_one_cycle` of fastai v2 has `pctStart` 0.25 and `div` 25.
 * @example
 * const data = new TensorDataset(randn([64, 4]), randint(0, 2, [64]));
 * const dls = DataLoaders.fromDatasets(data, data, { batchSize: 16 });
 * const learn = new Learner(dls, new nn.Linear(4, 2), { loss: F.crossEntropy });
 * await learn.fit(1, { callbacks: [new OneCycle({ lrMax: 1, pctStart: 0.5 })] });
 * learn.recorder.hypers.lr.slice(0, 3); // => [0.1, 0.55, 1]
 */
export class OneCycle implements Callback {
  private readonly _options: OneCycleOptions;
  private _scheduler: ParamScheduler | undefined;

  constructor(options: OneCycleOptions = {}) {
    for (const name of ["div", "finalDiv"] as const) {
      const value = options[name] ?? 1;
      if (!(value > 0)) throw new ArgumentError("OneCycle", `${name} must be above 0, got ${value}.`);
    }
    this._options = options;
  }

  beforeFit(learn: Learner): void {
    const { lrMax = learn.lr, pctStart = 0.3, div = 10, finalDiv = 1e5, momentum } = this._options;
    const phases = createPhases(pctStart);
    const cycle = (start: number, top: number, end: number): Schedule =>
      combineScheds(phases, cos1cycleAnneal(start, top, end));
    const lrCycle = (top: number): Schedule => cycle(top / div, top, top / finalDiv);
    const lr = typeof lrMax === "number" ? lrCycle(lrMax) : lrMax.map(lrCycle);
    const hasMomentum = learn.optimizer.hyperNames().includes("momentum");
    const range = momentum ?? (hasMomentum ? ([0.95, 0.85, 0.95] as const) : false);
    this._scheduler = new ParamScheduler(range === false ? { lr } : { lr, momentum: cycle(...range) });
    this._scheduler.beforeFit(learn);
  }

  beforeBatch(learn: Learner): void {
    this._scheduler?.beforeBatch(learn);
  }
}

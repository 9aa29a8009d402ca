import { ArgumentError } from "../../backend/errors.ts";
import type { Schedule } from "../../optim/schedules/annealers.ts";
import type { Callback } from "../callback.ts";
import type { Learner } from "../learner.ts";

/** A schedule for each hyper-parameter by name: one for all parameter groups, or one per group. */
export type Schedules = Readonly<Record<string, Schedule | readonly Schedule[]>>;

/**
 * Sets hyper-parameters at the start of every training batch, by schedules of the position in the fit.
 *
 * The position is (epoch + iteration / iterations) / epochs: 0 at the first batch, below 1 at the last. What a schedule
 * set last stays after the fit; the next fit sets the learning rate anew, other hyper-parameters keep it. Several
 * schedulers may work side by side on different hyper-parameters.
 *
 * @throws {@link ArgumentError} before the first batch, for a name the optimizer does not know, or when there are not as
 * many schedules as groups.
 * @see fastai: `ParamScheduler`.
 * @example
 * const data = new TensorDataset(randn([64, 4]), randint(0, 2, [64]));
 * const dls = DataLoaders.fromDatasets(data, data, { batchSize: 16 });
 * const learn = new Learner(dls, new nn.Linear(4, 2), { loss: F.crossEntropy });
 * await learn.fit(1, { callbacks: [new ParamScheduler({ lr: schedLin(1, 0) })] });
 * learn.recorder.hypers.lr; // => [1, 0.75, 0.5, 0.25]
 */
export class ParamScheduler implements Callback {
  readonly schedules: Schedules;

  constructor(schedules: Schedules) {
    this.schedules = schedules;
  }

  beforeFit({ optimizer }: Learner): void {
    const known = optimizer.hyperNames();
    const groups = optimizer.paramGroups.length;
    for (const [name, schedule] of Object.entries(this.schedules)) {
      if (!known.includes(name)) {
        throw new ArgumentError("ParamScheduler", `unknown hyper-parameter "${name}". Known: ${known.join(", ")}.`);
      }
      if (typeof schedule !== "function" && schedule.length !== groups) {
        throw new ArgumentError("ParamScheduler", `${name} has ${schedule.length} schedules for ${groups} groups.`);
      }
    }
  }

  beforeBatch({ training, position, optimizer }: Learner): void {
    if (!training) return;
    for (const [name, schedule] of Object.entries(this.schedules)) {
      const value = typeof schedule === "function" ? schedule(position) : schedule.map((one) => one(position));
      optimizer.setHyper(name, value);
    }
  }
}

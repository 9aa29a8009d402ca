import { ArgumentError } from "../../backend/errors.ts";
import { scaleGrads } from "../../optim/gradients.ts";
import type { Callback, Json } from "../callback.ts";
import { CancelStep } from "../cancel.ts";
import type { Learner } from "../learner.ts";
import { field } from "./monitor.ts";

/**
 * Steps once for several batches, as if they had been one: memory for a small batch, steps of a large one.
 *
 * Each batch counts by its number of targets, so that unequal batches also give the gradient of the large one. The last
 * group of a pass steps even if it is not full; a group that is cut short by a cancel of the pass is dropped. Layers that
 * look at a whole batch, such as batch normalisation, still see small ones.
 *
 * @see fastai: GradientAccumulation. Differs: it counts batches, not samples, and the last group is not dropped.
 * @example
 * const data = new TensorDataset(randn([40, 4]), randint(0, 2, [40]));
 * const dls = DataLoaders.fromDatasets(data, data, { batchSize: 4 });
 * const learn = new Learner(dls, new nn.Linear(4, 2), { loss: F.crossEntropy });
 * let steps = 0;
 * const count: Callback = { afterStep: () => void steps++ };
 * await learn.fit(1, { callbacks: [new GradientAccumulation(4), count] });
 * steps; // => 3
 */
export class GradientAccumulation implements Callback {
  /** After metrics and recorder have seen the loss, before clipping. */
  readonly order = 60;
  private readonly _batches: number;
  private _pending = 0;
  private _targets = 0;
  private _unit = 0;
  private _hasTrained = false;

  /**
   * @param batches - Batches per step, from 1.
   * @throws {@link ArgumentError} for another number.
   */
  constructor(batches: number) {
    if (!Number.isInteger(batches) || batches < 1) {
      throw new ArgumentError("GradientAccumulation", `batches must be a whole number from 1, got ${batches}.`);
    }
    this._batches = batches;
  }

  beforePass(): void {
    this.forget();
  }

  beforeBatch(): void {
    this._hasTrained = false;
  }

  beforeBackward(): void {
    this._hasTrained = true;
  }

  afterLoss(learn: Learner): void {
    if (!learn.training) return;
    const count = Math.max(1, learn.yb.numel());
    if (this._pending === 0) this._unit = count;
    // Means become sums in units of the group's first batch; the step divides by what came together.
    if (count !== this._unit) learn.loss = learn.loss.mul(count / this._unit);
  }

  afterBackward(learn: Learner): void {
    this._pending++;
    this._targets += Math.max(1, learn.yb.numel());
  }

  beforeStep(learn: Learner): void {
    const isLast = learn.iteration === learn.iterations - 1;
    if (this._pending < this._batches && !isLast) throw new CancelStep();
    this.scale(learn);
  }

  /** A pass may end before the number of batches it promised. */
  afterPass(learn: Learner): void {
    if (!learn.training || this._pending === 0) return;
    this.scale(learn);
    learn.step();
    learn.zeroGrad();
  }

  afterCancelBatch(): void {
    // The learner then drops all gradients, also the earlier ones.
    if (this._hasTrained) this.forget();
  }

  cleanupPass(learn: Learner): void {
    this.drop(learn);
  }

  /** Goes with the gradients gathered so far, which checkpoints hold as well. */
  state(): Json {
    return { pending: this._pending, targets: this._targets, unit: this._unit };
  }

  loadState(state: Json): void {
    this._pending = Number(field(state, "pending") ?? 0);
    this._targets = Number(field(state, "targets") ?? 0);
    this._unit = Number(field(state, "unit") ?? 0);
  }

  private scale(learn: Learner): void {
    const params = learn.optimizer.paramGroups.flatMap((group) => group.params);
    if (this._targets !== this._unit) scaleGrads(params, this._unit / this._targets);
    this.forget();
  }

  private drop(learn: Learner): void {
    if (this._pending > 0) learn.optimizer.zeroGrad();
    this.forget();
  }

  private forget(): void {
    this._pending = 0;
    this._targets = 0;
    this._unit = 0;
  }
}

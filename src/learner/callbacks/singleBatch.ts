import type { Tensor } from "../../tensor/tensor.ts";
import type { Callback } from "../callback.ts";
import { CancelFit } from "../cancel.ts";
import type { Learner } from "../learner.ts";

/**
 * Ends the fit after its first batch, to see that all parts fit together; `learn.xb`, `preds` and `loss` can be looked at
 * then.
 *
 * @see miniai: SingleBatchCB.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const dls = DataLoaders.fromDatasets(data, data, { batchSize: 2 });
 * const learn = new Learner(dls, new nn.Linear(4, 2), { loss: F.crossEntropy });
 * await learn.fit(5, { callbacks: [new SingleBatch()] });
 * learn.recorder.losses.length; // => 1
 */
export class SingleBatch implements Callback {
  readonly order = 1000;

  afterBatch(): void {
    throw new CancelFit("a single batch was wanted");
  }
}

/**
 * Trains on the first batch of the fit again and again, in the place of all others: a model that cannot bring its loss
 * near 0 there has a fault. Validation runs as ever.
 *
 * @see Karpathy 2019, https://karpathy.github.io/2019/04/25/recipe/
 * @example
 * const data = new TensorDataset(randn([40, 4]), randint(0, 2, [40]));
 * const dls = DataLoaders.fromDatasets(data, data, { batchSize: 4 });
 * const model = new nn.Sequential(new nn.Linear(4, 32), new nn.ReLU(), new nn.Linear(32, 2));
 * const learn = new Learner(dls, model, { loss: F.crossEntropy, optimizer: optim.adam, lr: 0.03 });
 * await learn.fit(10, { callbacks: [new OverfitOneBatch()] });
 * (learn.recorder.losses.at(-1) ?? 1) < 0.1; // => true
 */
export class OverfitOneBatch implements Callback {
  /** Before anything else is done to the batch. */
  readonly order = -100;
  private _batch: readonly Tensor[] | undefined;

  beforeFit(): void {
    this._batch = undefined;
  }

  beforeBatch(learn: Learner): void {
    if (!learn.training) return;
    if (this._batch === undefined) {
      this._batch = learn.batch;
      return;
    }
    const [first, last] = [this._batch[0], this._batch[this._batch.length - 1]];
    learn.batch = this._batch;
    learn.xb = first;
    learn.yb = last;
  }

  cleanupFit(): void {
    this._batch = undefined;
  }
}

import { ArgumentError } from "../../backend/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Callback } from "../callback.ts";
import type { Learner } from "../learner.ts";

/** What {@link BatchTransform} does to inputs and targets: to each on its own, or to both together. */
export type BatchFunction =
  | { readonly xb?: (xb: Tensor) => Tensor; readonly yb?: (yb: Tensor) => Tensor }
  | ((xb: Tensor, yb: Tensor) => readonly [xb: Tensor, yb: Tensor]);

/** Options of {@link BatchTransform}. */
export interface BatchTransformOptions {
  /** Whether it works on training batches. Default true. */
  readonly train?: boolean;
  /** Whether it works on validation batches. Default true. */
  readonly valid?: boolean;
}

/**
 * Changes each batch before the model sees it: reshapes, normalises, augments.
 *
 * @throws {@link ArgumentError} when there is nothing to do.
 * @see dl2 (08): BatchTransformXCallback; miniai: BatchTransformCB.
 * @example
 * const data = new TensorDataset(randn([8, 2, 2]), randint(0, 2, [8]));
 * const learn = new Learner(DataLoaders.fromDatasets(data, data), new nn.Linear(4, 2), { loss: F.crossEntropy });
 * await learn.fit(1, { callbacks: [new BatchTransform({ xb: (x) => x.flatten(1) })] });
 * learn.xb.shape; // => [8, 4]
 */
export class BatchTransform implements Callback {
  /** Once the batch is on its device. */
  readonly order = -80;
  private readonly _fn: BatchFunction;
  private readonly _train: boolean;
  private readonly _valid: boolean;

  constructor(fn: BatchFunction, { train = true, valid = true }: BatchTransformOptions = {}) {
    if (typeof fn !== "function" && fn.xb === undefined && fn.yb === undefined) {
      throw new ArgumentError("BatchTransform", "give a function for xb or for yb: { xb: (x) => x.flatten(1) }.");
    }
    this._fn = fn;
    this._train = train;
    this._valid = valid;
  }

  beforeBatch(learn: Learner): void {
    if (!(learn.training ? this._train : this._valid)) return;
    const fn = this._fn;
    if (typeof fn === "function") {
      [learn.xb, learn.yb] = fn(learn.xb, learn.yb);
      return;
    }
    if (fn.xb !== undefined) learn.xb = fn.xb(learn.xb);
    if (fn.yb !== undefined) learn.yb = fn.yb(learn.yb);
  }
}

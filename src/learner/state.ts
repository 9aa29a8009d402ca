import { ArgumentError } from "../backend/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Point } from "./resume.ts";

/** Where a training loop stands, for all to read; callbacks may replace what the present batch is made of. */
export abstract class LoopState {
  /** Epochs of this fit, and the current one, from 0. */
  epochs = 0;
  epoch = 0;
  /** Whether this is a training pass. */
  training = false;
  /** Position in the pass, from 0, and the number of its batches. */
  iteration = 0;
  iterations = 0;
  /** Training batches done in this fit. */
  steps = 0;
  /** Why the last fit ended early; undefined when it did not. */
  stopReason: string | undefined;
  /** Whether a fit or a validation is going on. */
  running = false;

  /** Where the fit goes on if it is resumed from its last batch boundary. */
  readonly _point: Point = { epoch: 0, stage: "epoch", iteration: 0, random: undefined };
  /** Whether batches have a loss; predictions alone need none. */
  _hasLoss = true;
  /** Whether the present batch has begun to change the gradients, and its step has not ended. */
  _hasPartialGradients = false;
  _lastYield = 0;
  /** Whether anyone but the loop itself has looked at the inputs of the present batch. */
  _isBatchSeen = false;
  _batch: readonly Tensor[] = [];
  _signal: AbortSignal | undefined;
  _xb: Tensor | undefined;
  _yb: Tensor | undefined;
  _preds: Tensor | undefined;
  _loss: Tensor | undefined;

  /** The batch as the loader gave it. */
  get batch(): readonly Tensor[] {
    this._isBatchSeen = true;
    return this._batch;
  }
  set batch(value: readonly Tensor[]) {
    this._isBatchSeen = true;
    this._batch = value;
  }

  /** Inputs of the current batch; callbacks may replace them. */
  get xb(): Tensor {
    this._isBatchSeen = true;
    return this._inputs;
  }
  set xb(value: Tensor) {
    this._xb = value;
  }

  /** The inputs for the loop's own use, which does not count as looking at them. */
  get _inputs(): Tensor {
    return present(this._xb, "xb", "a batch");
  }

  /** Targets of the current batch; callbacks may replace them. */
  get yb(): Tensor {
    return present(this._yb, "yb", "a batch");
  }
  set yb(value: Tensor) {
    this._yb = value;
  }

  /** Predictions for the current batch, from `afterPredict` on. */
  get preds(): Tensor {
    return present(this._preds, "preds", "predict");
  }
  set preds(value: Tensor) {
    this._preds = value;
  }

  /** Loss of the current batch, from `afterLoss` on; what callbacks add to it is trained on. */
  get loss(): Tensor {
    return present(this._loss, "loss", "getLoss");
  }
  set loss(value: Tensor) {
    this._loss = value;
  }

  /** Where training stands, from 0 at the start of the fit to 1 at its end. */
  get position(): number {
    const share = this.training && this.iterations > 0 ? this.iteration / this.iterations : 0;
    return this.epochs === 0 ? 0 : (this.epoch + share) / this.epochs;
  }

  /** The pass in words. */
  get pass(): "training" | "validation" {
    return this.training ? "training" : "validation";
  }
}

function present(value: Tensor | undefined, name: string, maker: string): Tensor {
  if (value !== undefined) return value;
  throw new ArgumentError(`learn.${name}`, `there is none before ${maker}.`);
}

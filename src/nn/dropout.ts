import { ShapeError } from "../backend/errors.ts";
import { mapSizes } from "../backend/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkProbability } from "./arguments.ts";
import { dropout } from "./functional.ts";
import { Module } from "./module.ts";

/**
 * In training, sets elements to 0 with probability p and scales the others by 1/(1 − p); otherwise gives x back.
 *
 * @see Srivastava et al. 2014, Dropout: a simple way to prevent neural networks from overfitting.
 * @example
 * new nn.Dropout(0.5).eval().forward(ones([2])).toArray(); // => [1, 1]
 */
export class Dropout extends Module {
  /** Probability that an element is dropped, 0 to 1. */
  p: number;

  /** @param p - Default 0.5. */
  constructor(p = 0.5) {
    super();
    this.p = checkProbability("Dropout", "p", p);
  }

  forward(x: Tensor): Tensor {
    return dropout(x, { p: this.p, training: this.training });
  }

  override describe(): string {
    return `p=${this.p}`;
  }
}

/** Drops whole channels together. */
abstract class ChannelDropout extends Dropout {
  protected abstract readonly _rank: number;

  override forward(x: Tensor): Tensor {
    if (x.rank !== this._rank) {
      throw new ShapeError(
        this.constructor.name,
        `input [${x.shape}] has ${x.rank} axes; it must have ${this._rank}: [n, c, …].`,
      );
    }
    return dropout(x, {
      p: this.p,
      training: this.training,
      shape: mapSizes(x.shape, (size, i) => (i < 2 ? size : 1)),
    });
  }
}

/** In training, sets whole channels of sequences to 0. Shapes: `[n, c, length]`. @see PyTorch: `nn.Dropout1d`. */
export class Dropout1d extends ChannelDropout {
  protected readonly _rank = 3;
}

/** In training, sets whole channels of images to 0. Shapes: `[n, c, h, w]`. @see PyTorch: `nn.Dropout2d`. */
export class Dropout2d extends ChannelDropout {
  protected readonly _rank = 4;
}

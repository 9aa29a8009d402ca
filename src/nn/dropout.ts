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

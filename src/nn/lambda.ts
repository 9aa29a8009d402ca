import { ArgumentError } from "../backend/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/**
 * A function as a layer, for a step without parameters inside a {@link Sequential}.
 *
 * @see fast.ai, Deep learning from the foundations: `Lambda`.
 * @example
 * const images = new nn.Lambda((x) => x.reshape([-1, 1, 28, 28]));
 * images.forward(zeros([64, 784])).shape; // => [64, 1, 28, 28]
 */
export class Lambda extends Module {
  private readonly _fn: (x: Tensor) => Tensor;

  constructor(fn: (x: Tensor) => Tensor) {
    super();
    if (typeof fn !== "function") throw new ArgumentError("Lambda", `needs a function, got ${typeof fn}.`);
    this._fn = fn;
  }

  forward(x: Tensor): Tensor {
    return this._fn(x);
  }

  override describe(): string {
    return this._fn.name;
  }
}

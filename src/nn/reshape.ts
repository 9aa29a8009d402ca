import type { Shape } from "../backend/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/**
 * The axes from `start` to `end` joined to one.
 *
 * Shapes: `[n, …]` → `[n, product of the rest]` by default.
 *
 * @see PyTorch: `nn.Flatten`.
 * @example
 * new nn.Flatten().forward(zeros([2, 3, 4])).shape; // => [2, 12]
 */
export class Flatten extends Module {
  readonly start: number;
  readonly end: number;

  /**
   * @param start - First axis that is joined. Default 1.
   * @param end - Last axis that is joined. Default -1.
   */
  constructor(start = 1, end = -1) {
    super();
    this.start = start;
    this.end = end;
  }

  forward(x: Tensor): Tensor {
    return x.flatten(this.start, this.end);
  }

  override describe(): string {
    return `start=${this.start}, end=${this.end}`;
  }
}

/**
 * One axis cut into several.
 *
 * Shapes: `[n, 12]` → `[n, 3, 4]` with axis 1 and sizes `[3, 4]`.
 *
 * @throws {@link ShapeError} when the sizes do not multiply to the axis.
 * @see PyTorch: `nn.Unflatten`.
 * @example
 * new nn.Unflatten(1, [3, -1]).forward(zeros([2, 12])).shape; // => [2, 3, 4]
 */
export class Unflatten extends Module {
  readonly axis: number;
  readonly sizes: Shape;

  /** @param sizes - One of them may be -1: what is left. */
  constructor(axis: number, sizes: Shape) {
    super();
    this.axis = axis;
    this.sizes = [...sizes];
  }

  forward(x: Tensor): Tensor {
    return x.unflatten(this.axis, this.sizes);
  }

  override describe(): string {
    return `axis=${this.axis}, sizes=[${this.sizes.join(", ")}]`;
  }
}

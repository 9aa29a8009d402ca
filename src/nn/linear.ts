import { isReLU, type Rectifier } from "../backend/fast.ts";
import { empty, type TensorOptions } from "../tensor/create.ts";
import { linear } from "../tensor/ops/matmul.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkSize } from "./arguments.ts";
import { describeOptions } from "./describe.ts";
import { forwardOf } from "./hooks.ts";
import { kaimingUniform_, uniform_ } from "./init.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/** Options of {@link Linear}. */
export interface LinearOptions extends Pick<TensorOptions, "device" | "dtype"> {
  /** Whether to add a bias. Default true. */
  readonly bias?: boolean;
}

/**
 * x·Wᵀ + b over the last axis.
 *
 * Shapes: `[…, inFeatures]` → `[…, outFeatures]`; weight `[outFeatures, inFeatures]`.
 *
 * Weights and bias start uniform in ±1/√inFeatures, as PyTorch's do.
 *
 * @throws {@link ShapeError} when the last size of the input is not `inFeatures`.
 * @see PyTorch: `nn.Linear`.
 * @example
 * new nn.Linear(784, 50).forward(zeros([64, 784])).shape; // => [64, 50]
 */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  weight: Parameter;
  bias: Parameter | undefined;

  constructor(inFeatures: number, outFeatures: number, { bias = true, ...options }: LinearOptions = {}) {
    super();
    this.inFeatures = checkSize("Linear", "inFeatures", inFeatures, 0);
    this.outFeatures = checkSize("Linear", "outFeatures", outFeatures, 0);
    this.weight = new Parameter(empty([outFeatures, inFeatures], options));
    if (inFeatures > 0) kaimingUniform_(this.weight, { a: Math.sqrt(5) });
    const bound = 1 / Math.sqrt(Math.max(1, inFeatures));
    this.bias = bias ? new Parameter(uniform_(empty([outFeatures], options), -bound, bound)) : undefined;
  }

  override get _isContained(): boolean {
    return forwardOf(this) === Linear.prototype.forward;
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }

  override _rectified(rectifier: Rectifier): ((x: Tensor) => Tensor) | undefined {
    return isReLU(rectifier) ? (x) => linear(x, this.weight, this.bias, { relu: true }) : undefined;
  }

  override describe(): string {
    return describeOptions({
      inFeatures: this.inFeatures,
      outFeatures: this.outFeatures,
      bias: this.bias !== undefined,
    });
  }
}

/** Gives its input back. */
export class Identity extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

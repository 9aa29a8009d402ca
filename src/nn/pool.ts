import {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  adaptiveMaxPool3d,
} from "../tensor/adaptivePool.ts";
import { cat } from "../tensor/functions.ts";
import type { PerAxis } from "../tensor/ops/window.ts";
import {
  type AveragePoolOptions,
  avgPool1d,
  avgPool2d,
  avgPool3d,
  type MaxPoolOptions,
  maxPool1d,
  maxPool2d,
  maxPool3d,
} from "../tensor/pool.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type InterpolateOptions, interpolate } from "../tensor/upsample.ts";
import { describeOptions } from "./describe.ts";
import { forwardOf } from "./hooks.ts";
import { Module } from "./module.ts";

/** A function of a tensor with fixed options, as a layer. */
abstract class Window<Options extends object> extends Module {
  readonly kernelSize: PerAxis;
  readonly options: Options;
  private readonly _pool: (x: Tensor, kernelSize: PerAxis, options: Options) => Tensor;

  constructor(
    pool: (x: Tensor, kernelSize: PerAxis, options: Options) => Tensor,
    kernelSize: PerAxis,
    options: Options,
  ) {
    super();
    this.kernelSize = kernelSize;
    this.options = options;
    this._pool = pool;
  }

  override get _isContained(): boolean {
    return forwardOf(this) === Window.prototype.forward;
  }

  forward(x: Tensor): Tensor {
    return this._pool(x, this.kernelSize, this.options);
  }

  override describe(): string {
    return describeOptions({ kernelSize: this.kernelSize, ...this.options });
  }
}

/** Largest element of each window of a sequence. @see PyTorch: `nn.MaxPool1d`. */
export class MaxPool1d extends Window<MaxPoolOptions> {
  constructor(kernelSize: PerAxis, options: MaxPoolOptions = {}) {
    super(maxPool1d, kernelSize, options);
  }
}

/**
 * Largest element of each window of an image.
 *
 * Shapes: `[n, c, h, w]` → `[n, c, …]`.
 *
 * @see PyTorch: `nn.MaxPool2d`.
 * @example
 * new nn.MaxPool2d(2).forward(arange(4).to("float32").reshape([1, 1, 2, 2])).item(); // => 3
 */
export class MaxPool2d extends Window<MaxPoolOptions> {
  constructor(kernelSize: PerAxis, options: MaxPoolOptions = {}) {
    super(maxPool2d, kernelSize, options);
  }
}

/** Mean of each window of a sequence. @see PyTorch: `nn.AvgPool1d`. */
export class AvgPool1d extends Window<AveragePoolOptions> {
  constructor(kernelSize: PerAxis, options: AveragePoolOptions = {}) {
    super(avgPool1d, kernelSize, options);
  }
}

/** Mean of each window of an image. @see PyTorch: `nn.AvgPool2d`. */
export class AvgPool2d extends Window<AveragePoolOptions> {
  constructor(kernelSize: PerAxis, options: AveragePoolOptions = {}) {
    super(avgPool2d, kernelSize, options);
  }
}

/** Largest element of each window of a volume. @see PyTorch: `nn.MaxPool3d`. */
export class MaxPool3d extends Window<MaxPoolOptions> {
  constructor(kernelSize: PerAxis, options: MaxPoolOptions = {}) {
    super(maxPool3d, kernelSize, options);
  }
}

/** Mean of each window of a volume. @see PyTorch: `nn.AvgPool3d`. */
export class AvgPool3d extends Window<AveragePoolOptions> {
  constructor(kernelSize: PerAxis, options: AveragePoolOptions = {}) {
    super(avgPool3d, kernelSize, options);
  }
}

abstract class Adaptive extends Module {
  readonly outputSize: PerAxis;
  private readonly _pool: (x: Tensor, outputSize: PerAxis) => Tensor;

  constructor(pool: (x: Tensor, outputSize: PerAxis) => Tensor, outputSize: PerAxis) {
    super();
    this.outputSize = outputSize;
    this._pool = pool;
  }

  forward(x: Tensor): Tensor {
    return this._pool(x, this.outputSize);
  }

  override describe(): string {
    return describeOptions({ outputSize: this.outputSize });
  }
}

/** Mean over as many windows as wanted outputs. @see PyTorch: `nn.AdaptiveAvgPool1d`. */
export class AdaptiveAvgPool1d extends Adaptive {
  constructor(outputSize: PerAxis) {
    super(adaptiveAvgPool1d, outputSize);
  }
}

/** Mean over as many windows as wanted outputs. Shapes: `[n, c, h, w]` → `[n, c, …outputSize]`. @see PyTorch: `nn.AdaptiveAvgPool2d`. */
export class AdaptiveAvgPool2d extends Adaptive {
  constructor(outputSize: PerAxis) {
    super(adaptiveAvgPool2d, outputSize);
  }
}

/** Largest over as many windows as wanted outputs. @see PyTorch: `nn.AdaptiveMaxPool1d`. */
export class AdaptiveMaxPool1d extends Adaptive {
  constructor(outputSize: PerAxis) {
    super(adaptiveMaxPool1d, outputSize);
  }
}

/** Largest over as many windows as wanted outputs. @see PyTorch: `nn.AdaptiveMaxPool2d`. */
export class AdaptiveMaxPool2d extends Adaptive {
  constructor(outputSize: PerAxis) {
    super(adaptiveMaxPool2d, outputSize);
  }
}

/** Mean over as many windows as wanted outputs. @see PyTorch: `nn.AdaptiveAvgPool3d`. */
export class AdaptiveAvgPool3d extends Adaptive {
  constructor(outputSize: PerAxis) {
    super(adaptiveAvgPool3d, outputSize);
  }
}

/** Largest over as many windows as wanted outputs. @see PyTorch: `nn.AdaptiveMaxPool3d`. */
export class AdaptiveMaxPool3d extends Adaptive {
  constructor(outputSize: PerAxis) {
    super(adaptiveMaxPool3d, outputSize);
  }
}

/**
 * Largest and mean, one after the other along the channels.
 *
 * Shapes: `[n, c, h, w]` → `[n, 2·c, size, size]`.
 *
 * @see fastai: `AdaptiveConcatPool2d`.
 * @example
 * new nn.AdaptiveConcatPool2d().forward(ones([2, 3, 4, 4])).shape; // => [2, 6, 1, 1]
 */
export class AdaptiveConcatPool2d extends Module {
  readonly size: PerAxis;

  /** @param size - Default 1. */
  constructor(size: PerAxis = 1) {
    super();
    this.size = size;
  }

  forward(x: Tensor): Tensor {
    return cat([adaptiveMaxPool2d(x, this.size), adaptiveAvgPool2d(x, this.size)], x.rank - 3);
  }

  override describe(): string {
    return describeOptions({ size: this.size });
  }
}

/** Images of another size; see {@link interpolate}. @see PyTorch: `nn.Upsample`. */
export class Upsample extends Module {
  readonly options: InterpolateOptions;

  constructor(options: InterpolateOptions) {
    super();
    this.options = options;
  }

  forward(x: Tensor): Tensor {
    return interpolate(x, this.options);
  }

  override describe(): string {
    return describeOptions(this.options);
  }
}

import { ArgumentError } from "../backend/errors.ts";
import {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
} from "../tensor/conv.ts";
import { empty, type TensorOptions } from "../tensor/create.ts";
import type { PerAxis } from "../tensor/ops/window.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkSize } from "./arguments.ts";
import { describeOptions } from "./describe.ts";
import { forwardOf } from "./hooks.ts";
import { kaimingUniform_, uniform_ } from "./init.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

type Placement = Pick<TensorOptions, "device" | "dtype">;

/** Options of a convolution layer. */
export interface ConvLayerOptions extends ConvOptions, Placement {
  /** Whether to add a bias. Default true. */
  readonly bias?: boolean;
}

/** Options of a transposed convolution layer. */
export interface ConvTransposeLayerOptions extends ConvTransposeOptions, Placement {
  /** Whether to add a bias. Default true. */
  readonly bias?: boolean;
}

type Convolution<Options> = (x: Tensor, weight: Tensor, bias: Tensor | undefined, options: Options) => Tensor;

/** What all convolution layers share: weight, bias and how they start. */
abstract class ConvolutionLayer<Options extends object> extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly number[];
  readonly options: Options;
  weight: Parameter;
  bias: Parameter | undefined;
  private readonly _convolve: Convolution<Options>;

  constructor(
    convolve: Convolution<Options>,
    [inChannels, outChannels]: readonly [number, number],
    weightShape: readonly number[],
    { bias, options, placement }: { bias: boolean; options: Options; placement: Placement },
  ) {
    super();
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = weightShape.slice(2);
    this.options = options;
    this._convolve = convolve;
    this.weight = new Parameter(kaimingUniform_(empty(weightShape, placement), { a: Math.sqrt(5) }));
    const bound = 1 / Math.sqrt(weightShape.slice(1).reduce((product, size) => product * size, 1));
    this.bias = bias ? new Parameter(uniform_(empty([outChannels], placement), -bound, bound)) : undefined;
  }

  override get _isContained(): boolean {
    return forwardOf(this) === ConvolutionLayer.prototype.forward;
  }

  forward(x: Tensor): Tensor {
    return this._convolve(x, this.weight, this.bias, this.options);
  }

  override describe(): string {
    const bias = this.bias === undefined ? { bias: false } : {};
    const options = describeOptions({ kernelSize: this.kernelSize, ...this.options, ...bias });
    return `${this.inChannels}, ${this.outChannels}, ${options}`;
  }
}

abstract class ConvNd extends ConvolutionLayer<ConvOptions> {
  constructor(
    axes: number,
    convolve: Convolution<ConvOptions>,
    inChannels: number,
    outChannels: number,
    kernelSize: PerAxis,
    { bias = true, device, dtype, ...options }: ConvLayerOptions,
  ) {
    const perGroup = checkChannels(new.target.name, inChannels, outChannels, options.groups);
    const shape = [outChannels, perGroup.in, ...kernel(new.target.name, axes, kernelSize)];
    super(convolve, [inChannels, outChannels], shape, { bias, options, placement: { device, dtype } });
  }
}

abstract class ConvTransposeNd extends ConvolutionLayer<ConvTransposeOptions> {
  constructor(
    axes: number,
    convolve: Convolution<ConvTransposeOptions>,
    inChannels: number,
    outChannels: number,
    kernelSize: PerAxis,
    { bias = true, device, dtype, ...options }: ConvTransposeLayerOptions,
  ) {
    const perGroup = checkChannels(new.target.name, inChannels, outChannels, options.groups);
    const shape = [inChannels, perGroup.out, ...kernel(new.target.name, axes, kernelSize)];
    super(convolve, [inChannels, outChannels], shape, { bias, options, placement: { device, dtype } });
  }
}

/** Convolution of sequences. Shapes: `[n, in, length]` → `[n, out, …]`. @see PyTorch: `nn.Conv1d`. */
export class Conv1d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvLayerOptions = {}) {
    super(1, conv1d, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Convolution of images; weights and bias start uniform in ±1/√(inputs per output), as PyTorch's do.
 *
 * Shapes: `[n, in, h, w]` → `[n, out, …]`; weight `[out, in/groups, kh, kw]`.
 *
 * @throws {@link ShapeError} when the input does not have `inChannels` channels.
 * @see PyTorch: `nn.Conv2d`.
 * @example
 * new nn.Conv2d(3, 8, 3, { stride: 2, padding: 1 }).forward(zeros([1, 3, 28, 28])).shape; // => [1, 8, 14, 14]
 */
export class Conv2d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvLayerOptions = {}) {
    super(2, conv2d, inChannels, outChannels, kernelSize, options);
  }
}

/** Convolution of volumes. Shapes: `[n, in, d, h, w]` → `[n, out, …]`. @see PyTorch: `nn.Conv3d`. */
export class Conv3d extends ConvNd {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvLayerOptions = {}) {
    super(3, conv3d, inChannels, outChannels, kernelSize, options);
  }
}

/** Transposed convolution of sequences; weight `[in, out/groups, k]`. @see PyTorch: `nn.ConvTranspose1d`. */
export class ConvTranspose1d extends ConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeLayerOptions = {}) {
    super(1, convTranspose1d, inChannels, outChannels, kernelSize, options);
  }
}

/**
 * Transposed convolution of images: the gradient of a convolution as a layer, which makes them larger.
 *
 * Shapes: `[n, in, h, w]` → `[n, out, …]`; weight `[in, out/groups, kh, kw]`.
 *
 * @see PyTorch: `nn.ConvTranspose2d`.
 * @example
 * new nn.ConvTranspose2d(8, 3, 2, { stride: 2 }).forward(zeros([1, 8, 14, 14])).shape; // => [1, 3, 28, 28]
 */
export class ConvTranspose2d extends ConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeLayerOptions = {}) {
    super(2, convTranspose2d, inChannels, outChannels, kernelSize, options);
  }
}

/** Transposed convolution of volumes. @see PyTorch: `nn.ConvTranspose3d`. */
export class ConvTranspose3d extends ConvTransposeNd {
  constructor(inChannels: number, outChannels: number, kernelSize: PerAxis, options: ConvTransposeLayerOptions = {}) {
    super(3, convTranspose3d, inChannels, outChannels, kernelSize, options);
  }
}

function checkChannels(
  layer: string,
  inChannels: number,
  outChannels: number,
  groups = 1,
): { in: number; out: number } {
  checkSize(layer, "inChannels", inChannels);
  checkSize(layer, "outChannels", outChannels);
  checkSize(layer, "groups", groups);
  if (inChannels % groups !== 0 || outChannels % groups !== 0) {
    throw new ArgumentError(
      layer,
      `${groups} groups must divide ${inChannels} input and ${outChannels} output channels.`,
    );
  }
  return { in: inChannels / groups, out: outChannels / groups };
}

function kernel(layer: string, axes: number, size: PerAxis): readonly number[] {
  const sizes = typeof size === "number" ? new Array<number>(axes).fill(size) : size;
  if (sizes.length !== axes) throw new ArgumentError(layer, `the kernel [${sizes}] must have ${axes} sizes.`);
  for (const n of sizes) checkSize(layer, "kernelSize", n);
  return sizes;
}

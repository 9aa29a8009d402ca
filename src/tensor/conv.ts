import { ArgumentError, DTypeError, ShapeError } from "../backend/errors.ts";
import { mapSizes, sameShape } from "../backend/shape.ts";
import { apply } from "./apply.ts";
import { convDataOp, convOp, type ConvOptions as Geometry } from "./ops/conv.ts";
import { requireFloat } from "./ops/elementwise.ts";
import { inImageFormat } from "./ops/imageFormat.ts";
import { asBatch, type Padding, type PerAxis, paddingOf, perAxis, placesAlong } from "./ops/window.ts";
import type { Tensor } from "./tensor.ts";

/** How a convolution moves over its input. */
export interface ConvOptions {
  /** Elements from one place to the next, from 1. Default 1. */
  readonly stride?: PerAxis;
  /**
   * Zeros around the input: one number, or for each axis a number or `[before, after]`; `"same"` keeps the sizes
   * (an odd one goes behind). Default 0.
   */
  readonly padding?: Padding | "same";
  /** Distance of neighbouring taps, from 1. Default 1. */
  readonly dilation?: PerAxis;
  /** Into how many parts channels are split that do not see each other. Default 1. */
  readonly groups?: number;
}

/** How a transposed convolution moves over its output. */
export interface ConvTransposeOptions {
  /** As in the convolution it is the gradient of, from 1. Default 1. */
  readonly stride?: PerAxis;
  /** What that convolution would add around its input: so much is cut off here. Default 0. */
  readonly padding?: Padding;
  /** What is added behind each axis, where several sizes are possible: less than stride or dilation. Default 0. */
  readonly outputPadding?: PerAxis;
  /** Distance of neighbouring taps, from 1. Default 1. */
  readonly dilation?: PerAxis;
  /** Into how many parts channels are split that do not see each other. Default 1. */
  readonly groups?: number;
}

/**
 * Convolution over one axis (cross-correlation: the kernel is not flipped).
 *
 * Shapes: x `[n, c, length]` (or without n), weight `[m, c/groups, kernel]`, bias `[m]` → `[n, m, places]`,
 * places = ⌊(length + padding − dilation·(kernel − 1) − 1)/stride⌋ + 1.
 *
 * @throws {@link ShapeError} when channels or bias do not fit the weight, or the kernel is larger than the padded input.
 * @throws {@link ArgumentError} for options out of range, or padding "same" with a stride.
 * @see PyTorch: `F.conv1d`. Differs: padding may be given for each side.
 * @example
 * conv1d(ones([1, 1, 5]), ones([1, 1, 3])).toArray(); // => [[[3, 3, 3]]]
 */
export function conv1d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor {
  return convolve("conv1d", 1, x, weight, bias, options);
}

/**
 * Convolution over two axes; see {@link conv1d}.
 *
 * Shapes: x `[n, c, h, w]` (or without n), weight `[m, c/groups, kh, kw]`, bias `[m]` → `[n, m, places, places]`.
 *
 * @throws {@link ShapeError} and {@link ArgumentError} as {@link conv1d}.
 * @see PyTorch: `F.conv2d`. Differs: padding may be given for each side.
 * @example
 * conv2d(ones([1, 3, 8, 8]), ones([4, 3, 3, 3]), undefined, { stride: 2, padding: 1 }).shape; // => [1, 4, 4, 4]
 */
export function conv2d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor {
  return convolve("conv2d", 2, x, weight, bias, options);
}

/**
 * Convolution over three axes; see {@link conv1d}.
 *
 * Shapes: x `[n, c, d, h, w]` (or without n), weight `[m, c/groups, kd, kh, kw]`, bias `[m]` → `[n, m, …places]`.
 *
 * @throws {@link ShapeError} and {@link ArgumentError} as {@link conv1d}.
 * @see PyTorch: `F.conv3d`. Differs: padding may be given for each side.
 */
export function conv3d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvOptions = {}): Tensor {
  return convolve("conv3d", 3, x, weight, bias, options);
}

/**
 * Transposed convolution over one axis: what the gradient of {@link conv1d} does to its input.
 *
 * Shapes: x `[n, c, length]` (or without n), weight `[c, m/groups, kernel]`, bias `[m]` → `[n, m, size]`,
 * size = (length − 1)·stride − padding + dilation·(kernel − 1) + outputPadding + 1.
 *
 * @throws {@link ShapeError} when channels or bias do not fit the weight, or nothing is left after cutting off the padding.
 * @throws {@link ArgumentError} for options out of range.
 * @see PyTorch: `F.conv_transpose1d`. Differs: padding may be given for each side.
 * @example
 * convTranspose1d(ones([1, 1, 2]), ones([1, 1, 2]), undefined, { stride: 2 }).toArray(); // => [[[1, 1, 1, 1]]]
 */
export function convTranspose1d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvTransposeOptions = {}): Tensor {
  return transposedConvolve("convTranspose1d", 1, x, weight, bias, options);
}

/**
 * Transposed convolution over two axes; see {@link convTranspose1d}.
 *
 * Shapes: x `[n, c, h, w]` (or without n), weight `[c, m/groups, kh, kw]`, bias `[m]` → `[n, m, size, size]`.
 *
 * @throws {@link ShapeError} and {@link ArgumentError} as {@link convTranspose1d}.
 * @see PyTorch: `F.conv_transpose2d`.
 * @example
 * convTranspose2d(ones([1, 3, 4, 4]), ones([3, 2, 2, 2]), undefined, { stride: 2 }).shape; // => [1, 2, 8, 8]
 */
export function convTranspose2d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvTransposeOptions = {}): Tensor {
  return transposedConvolve("convTranspose2d", 2, x, weight, bias, options);
}

/**
 * Transposed convolution over three axes; see {@link convTranspose1d}.
 *
 * Shapes: x `[n, c, d, h, w]` (or without n), weight `[c, m/groups, kd, kh, kw]`, bias `[m]` → `[n, m, …size]`.
 *
 * @throws {@link ShapeError} and {@link ArgumentError} as {@link convTranspose1d}.
 * @see PyTorch: `F.conv_transpose3d`.
 */
export function convTranspose3d(x: Tensor, weight: Tensor, bias?: Tensor, options: ConvTransposeOptions = {}): Tensor {
  return transposedConvolve("convTranspose3d", 3, x, weight, bias, options);
}

function convolve(
  operation: string,
  axes: number,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvOptions,
): Tensor {
  const images = inImageFormat(asBatch(operation, x, axes));
  checkWeight(operation, axes, weight, groups);
  const [m, perGroup, ...kernel] = weight.shape;
  checkChannels(operation, x, images.shape[1], weight, perGroup * groups, groups);
  checkOutputs(operation, weight, m, groups);
  checkBias(operation, bias, weight, m);
  checkDTypes(operation, x, weight, bias);
  const steps = perAxis(operation, "stride", stride, axes, 1);
  const spacing = perAxis(operation, "dilation", dilation, axes, 1);
  const { before, after } =
    padding === "same" ? samePadding(operation, kernel, steps, spacing) : paddingOf(operation, padding, axes);
  const size = images.shape.slice(2);
  const places = mapSizes(size, (n, i) => placesAlong(n, kernel[i], steps[i], before[i] + after[i], spacing[i]));
  if (places.some((n) => n < 1)) {
    throw new ShapeError(
      operation,
      `kernel [${kernel}] with dilation [${spacing}] is larger than the input [${x.shape}] with padding [${before}] and [${after}]. Add padding, or use a smaller kernel.`,
    );
  }
  const options: Geometry = { windows: { stride: steps, dilation: spacing, before }, groups, size, places, kernel };
  const y = apply(convOp, bias === undefined ? [images, weight] : [images, weight, bias], options);
  return x.rank === axes + 1 ? y.squeeze(0) : y;
}

function transposedConvolve(
  operation: string,
  axes: number,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 }: ConvTransposeOptions,
): Tensor {
  const images = inImageFormat(asBatch(operation, x, axes));
  checkWeight(operation, axes, weight, groups);
  const [channels, perGroup, ...kernel] = weight.shape;
  checkChannels(operation, x, images.shape[1], weight, channels, groups);
  checkOutputs(operation, weight, channels, groups);
  checkBias(operation, bias, weight, perGroup * groups);
  checkDTypes(operation, x, weight, bias);
  const steps = perAxis(operation, "stride", stride, axes, 1);
  const spacing = perAxis(operation, "dilation", dilation, axes, 1);
  const extra = perAxis(operation, "outputPadding", outputPadding, axes, 0);
  if (extra.some((n, i) => n >= Math.max(steps[i], spacing[i]))) {
    throw new ArgumentError(
      operation,
      `outputPadding [${extra}] must be less than stride [${steps}] or dilation [${spacing}].`,
    );
  }
  const { before, after } = paddingOf(operation, padding, axes);
  const places = images.shape.slice(2);
  const size = mapSizes(
    places,
    (n, i) => (n - 1) * steps[i] - before[i] - after[i] + spacing[i] * (kernel[i] - 1) + extra[i] + 1,
  );
  if (size.some((n) => n < 1) || places.includes(0)) {
    throw new ShapeError(
      operation,
      `nothing is left of [${x.shape}] with kernel [${kernel}] and padding [${before}] (sizes [${size}]).`,
    );
  }
  const options: Geometry = { windows: { stride: steps, dilation: spacing, before }, groups, size, places, kernel };
  const y = apply(convDataOp, [images, weight], options);
  const shifted = bias === undefined ? y : y.add(bias.reshape([-1, ...kernel.map(() => 1)]));
  return x.rank === axes + 1 ? shifted.squeeze(0) : shifted;
}

function samePadding(
  operation: string,
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): { before: number[]; after: number[] } {
  if (stride.some((n) => n !== 1)) {
    throw new ArgumentError(operation, `padding "same" needs stride 1, got [${stride}]. Give the padding as numbers.`);
  }
  const total = kernel.map((k, i) => dilation[i] * (k - 1));
  return { before: total.map((n) => Math.floor(n / 2)), after: total.map((n) => Math.ceil(n / 2)) };
}

function checkWeight(operation: string, axes: number, weight: Tensor, groups: number): void {
  if (weight.rank !== axes + 2 || weight.numel() === 0) {
    throw new ShapeError(operation, `weight [${weight.shape}] must have ${axes + 2} axes, none of them empty.`);
  }
  if (!Number.isSafeInteger(groups) || groups < 1) {
    throw new ArgumentError(operation, `groups must be a whole number from 1, got ${groups}.`);
  }
}

function checkChannels(
  operation: string,
  x: Tensor,
  channels: number,
  weight: Tensor,
  wanted: number,
  groups: number,
): void {
  if (channels !== wanted) {
    throw new ShapeError(
      operation,
      `input [${x.shape}] does not fit weight [${weight.shape}] in groups of ${groups} (${channels} ≠ ${wanted} channels).`,
    );
  }
}

function checkOutputs(operation: string, weight: Tensor, channels: number, groups: number): void {
  if (channels % groups !== 0) {
    throw new ShapeError(
      operation,
      `weight [${weight.shape}] cannot be split into ${groups} groups (${channels} channels).`,
    );
  }
}

function checkBias(operation: string, bias: Tensor | undefined, weight: Tensor, m: number): void {
  if (bias !== undefined && !sameShape(bias.shape, [m])) {
    throw new ShapeError(operation, `bias [${bias.shape}] does not fit weight [${weight.shape}]; it must be [${m}].`);
  }
}

function checkDTypes(operation: string, x: Tensor, weight: Tensor, bias: Tensor | undefined): void {
  requireFloat(operation, x);
  for (const other of bias === undefined ? [weight] : [weight, bias]) {
    if (other.dtype !== x.dtype) {
      throw new DTypeError(operation, `dtypes must be equal: ${x.dtype} and ${other.dtype}. Convert with .to(dtype).`);
    }
  }
}

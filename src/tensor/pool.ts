import { ArgumentError, ShapeError } from "../backend/errors.ts";
import { mapSizes } from "../backend/shape.ts";
import { apply } from "./apply.ts";
import { requireFloat } from "./ops/elementwise.ts";
import { inImageFormat } from "./ops/imageFormat.ts";
import { averagePoolOp, type PoolOptions as Geometry, maxPoolOp } from "./ops/pool.ts";
import { asBatch, type Padding, type PerAxis, paddingOf, perAxis, placesAlong } from "./ops/window.ts";
import type { Tensor } from "./tensor.ts";

/** How a pooling window moves. */
export interface PoolOptions {
  /** Elements from one window to the next, from 1. Default the kernel size. */
  readonly stride?: PerAxis;
  /** Border around the input, at most half the kernel: minus infinity for the largest, zeros for the mean. Default 0. */
  readonly padding?: Padding;
  /** Whether a last window may hang over the end. Default false. */
  readonly ceilMode?: boolean;
}

/** Options of pooling by the largest element. */
export interface MaxPoolOptions extends PoolOptions {
  /** Distance of neighbouring elements of a window, from 1. Default 1. */
  readonly dilation?: PerAxis;
}

/** Options of pooling by the mean. */
export interface AveragePoolOptions extends PoolOptions {
  /** Whether padding counts as elements. Default true. */
  readonly countIncludePad?: boolean;
}

/**
 * The largest element of each window along one axis; the first of equals gets the gradient.
 *
 * Shapes: x `[n, c, length]` (or without n) → `[n, c, places]`,
 * places = ⌊(length + padding − dilation·(kernel − 1) − 1)/stride⌋ + 1.
 *
 * @throws {@link ShapeError} when the window is larger than the padded input.
 * @throws {@link ArgumentError} for options out of range.
 * @see PyTorch: `F.max_pool1d`.
 * @example
 * maxPool1d(tensor([[[1, 3, 2, 5]]]), 2).toArray(); // => [[[3, 5]]]
 */
export function maxPool1d(x: Tensor, kernelSize: PerAxis, options: MaxPoolOptions = {}): Tensor {
  return maxPool("maxPool1d", 1, x, kernelSize, options);
}

/**
 * The largest element of each window over two axes; see {@link maxPool1d}.
 *
 * Shapes: x `[n, c, h, w]` (or without n) → `[n, c, places, places]`.
 *
 * @throws {@link ShapeError} and {@link ArgumentError} as {@link maxPool1d}.
 * @see PyTorch: `F.max_pool2d`.
 * @example
 * maxPool2d(ones([1, 3, 8, 8]), 3, { stride: 2, padding: 1 }).shape; // => [1, 3, 4, 4]
 */
export function maxPool2d(x: Tensor, kernelSize: PerAxis, options: MaxPoolOptions = {}): Tensor {
  return maxPool("maxPool2d", 2, x, kernelSize, options);
}

/**
 * The largest element of each window over three axes; see {@link maxPool1d}.
 *
 * @throws {@link ShapeError} and {@link ArgumentError} as {@link maxPool1d}.
 * @see PyTorch: `F.max_pool3d`.
 */
export function maxPool3d(x: Tensor, kernelSize: PerAxis, options: MaxPoolOptions = {}): Tensor {
  return maxPool("maxPool3d", 3, x, kernelSize, options);
}

/**
 * The mean of each window along one axis.
 *
 * Shapes: x `[n, c, length]` (or without n) → `[n, c, places]`, places = ⌊(length + padding − kernel)/stride⌋ + 1.
 *
 * @throws {@link ShapeError} when the window is larger than the padded input.
 * @throws {@link ArgumentError} for options out of range.
 * @see PyTorch: `F.avg_pool1d`.
 * @example
 * avgPool1d(tensor([[[1, 3, 2, 4]]]), 2).toArray(); // => [[[2, 3]]]
 */
export function avgPool1d(x: Tensor, kernelSize: PerAxis, options: AveragePoolOptions = {}): Tensor {
  return averagePool("avgPool1d", 1, x, kernelSize, options);
}

/**
 * The mean of each window over two axes; see {@link avgPool1d}.
 *
 * Shapes: x `[n, c, h, w]` (or without n) → `[n, c, places, places]`.
 *
 * @throws {@link ShapeError} and {@link ArgumentError} as {@link avgPool1d}.
 * @see PyTorch: `F.avg_pool2d`.
 * @example
 * avgPool2d(ones([1, 3, 7, 7]), 2, { ceilMode: true }).shape; // => [1, 3, 4, 4]
 */
export function avgPool2d(x: Tensor, kernelSize: PerAxis, options: AveragePoolOptions = {}): Tensor {
  return averagePool("avgPool2d", 2, x, kernelSize, options);
}

/**
 * The mean of each window over three axes; see {@link avgPool1d}.
 *
 * @throws {@link ShapeError} and {@link ArgumentError} as {@link avgPool1d}.
 * @see PyTorch: `F.avg_pool3d`.
 */
export function avgPool3d(x: Tensor, kernelSize: PerAxis, options: AveragePoolOptions = {}): Tensor {
  return averagePool("avgPool3d", 3, x, kernelSize, options);
}

/** {@link maxPool1d}, {@link maxPool2d} or {@link maxPool3d}, by the number of spatial axes. */
function maxPool(operation: string, axes: number, x: Tensor, kernelSize: PerAxis, options: MaxPoolOptions): Tensor {
  requireFloat(operation, x);
  const images = inImageFormat(asBatch(operation, x, axes));
  const { geometry } = geometryOf(operation, axes, images, kernelSize, options, options.dilation ?? 1);
  const y = apply(maxPoolOp, [images], geometry);
  return x.rank === axes + 1 ? y.squeeze(0) : y;
}

function averagePool(
  operation: string,
  axes: number,
  x: Tensor,
  kernelSize: PerAxis,
  options: AveragePoolOptions,
): Tensor {
  requireFloat(operation, x);
  const images = inImageFormat(asBatch(operation, x, axes));
  const { geometry, after } = geometryOf(operation, axes, images, kernelSize, options, 1);
  const { kernel, windows, size, places } = geometry;
  const { stride, before } = windows;
  const includePad = options.countIncludePad ?? true;
  const scales = kernel.map((k, axis) =>
    Array.from({ length: places[axis] }, (_, place) => {
      const start = place * stride[axis] - before[axis];
      const end = Math.min(start + k, size[axis] + after[axis]);
      return 1 / (includePad ? end - start : Math.min(end, size[axis]) - Math.max(start, 0));
    }),
  );
  const y = apply(averagePoolOp, [images], { ...geometry, scales });
  return x.rank === axes + 1 ? y.squeeze(0) : y;
}

function geometryOf(
  operation: string,
  axes: number,
  images: Tensor,
  kernelSize: PerAxis,
  { stride, padding = 0, ceilMode = false }: PoolOptions,
  dilation: PerAxis,
): { geometry: Geometry; after: readonly number[] } {
  const kernel = perAxis(operation, "the kernel size", kernelSize, axes, 1);
  const steps = perAxis(operation, "stride", stride ?? kernel, axes, 1);
  const spacing = perAxis(operation, "dilation", dilation, axes, 1);
  const { before, after } = paddingOf(operation, padding, axes);
  if ([before, after].some((side) => side.some((pad, i) => pad > kernel[i] / 2))) {
    throw new ArgumentError(
      operation,
      `padding [${before}] and [${after}] must be at most half the kernel [${kernel}].`,
    );
  }
  const size = images.shape.slice(2);
  const places = mapSizes(size, (n, i) => {
    const total = before[i] + after[i];
    const whole = placesAlong(n, kernel[i], steps[i], total, spacing[i]);
    if (!ceilMode) return whole;
    const hanging = placesAlong(n, kernel[i], steps[i], total + steps[i] - 1, spacing[i]);
    return (hanging - 1) * steps[i] >= n + before[i] ? hanging - 1 : hanging; // none begins behind the input
  });
  if (places.some((n) => n < 1) || size.includes(0)) {
    throw new ShapeError(
      operation,
      `windows [${kernel}] are larger than the input [${images.shape}] with padding [${before}] and [${after}].`,
    );
  }
  return { geometry: { kernel, windows: { stride: steps, dilation: spacing, before }, size, places }, after };
}

import { requireFloat } from "./ops/elementwise.ts";
import { likeImages } from "./ops/imageFormat.ts";
import { asBatch, type PerAxis, perAxis } from "./ops/window.ts";
import { avgPool1d, avgPool2d, avgPool3d, maxPool1d, maxPool2d, maxPool3d } from "./pool.ts";
import type { Tensor } from "./tensor.ts";

/** The elements an output takes along one axis: `start … end − 1`. */
interface Span {
  readonly start: number;
  readonly end: number;
}

const averages = [avgPool1d, avgPool2d, avgPool3d];
const largests = [maxPool1d, maxPool2d, maxPool3d];

/**
 * Means of windows laid out so that the result has a given size.
 *
 * Shapes: x `[n, c, length]` (or without n) → `[n, c, outputSize]`; output i covers ⌊i·length/size⌋ … ⌈(i + 1)·length/size⌉.
 *
 * @throws {@link ShapeError} for another rank.
 * @throws {@link ArgumentError} for sizes below 1.
 * @see PyTorch: `F.adaptive_avg_pool1d`.
 * @example
 * adaptiveAvgPool1d(tensor([[[1, 3, 2, 4]]]), 2).toArray(); // => [[[2, 3]]]
 */
export function adaptiveAvgPool1d(x: Tensor, outputSize: PerAxis): Tensor {
  return adaptiveAverage("adaptiveAvgPool1d", 1, x, outputSize);
}

/**
 * Means of windows over two axes; see {@link adaptiveAvgPool1d}.
 *
 * Shapes: x `[n, c, h, w]` (or without n) → `[n, c, size, size]`.
 *
 * @throws {@link ShapeError} and {@link ArgumentError} as {@link adaptiveAvgPool1d}.
 * @see PyTorch: `F.adaptive_avg_pool2d`.
 * @example
 * adaptiveAvgPool2d(ones([2, 8, 7, 7]), 1).shape; // => [2, 8, 1, 1]
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: PerAxis): Tensor {
  return adaptiveAverage("adaptiveAvgPool2d", 2, x, outputSize);
}

/** Means of windows over three axes; see {@link adaptiveAvgPool1d}. @see PyTorch: `F.adaptive_avg_pool3d`. */
export function adaptiveAvgPool3d(x: Tensor, outputSize: PerAxis): Tensor {
  return adaptiveAverage("adaptiveAvgPool3d", 3, x, outputSize);
}

/**
 * Largest elements of windows laid out so that the result has a given size; see {@link adaptiveAvgPool1d}.
 *
 * @see PyTorch: `F.adaptive_max_pool1d`.
 * @example
 * adaptiveMaxPool1d(tensor([[[1, 3, 2, 4]]]), 2).toArray(); // => [[[3, 4]]]
 */
export function adaptiveMaxPool1d(x: Tensor, outputSize: PerAxis): Tensor {
  return adaptiveLargest("adaptiveMaxPool1d", 1, x, outputSize);
}

/**
 * Largest elements of windows over two axes; see {@link adaptiveAvgPool2d}.
 *
 * @see PyTorch: `F.adaptive_max_pool2d`.
 * @example
 * adaptiveMaxPool2d(ones([2, 8, 7, 7]), 1).shape; // => [2, 8, 1, 1]
 */
export function adaptiveMaxPool2d(x: Tensor, outputSize: PerAxis): Tensor {
  return adaptiveLargest("adaptiveMaxPool2d", 2, x, outputSize);
}

/** Largest elements of windows over three axes; see {@link adaptiveAvgPool1d}. @see PyTorch: `F.adaptive_max_pool3d`. */
export function adaptiveMaxPool3d(x: Tensor, outputSize: PerAxis): Tensor {
  return adaptiveLargest("adaptiveMaxPool3d", 3, x, outputSize);
}

function adaptiveAverage(operation: string, axes: number, x: Tensor, outputSize: PerAxis): Tensor {
  const { images, sizes, windows } = layOut(operation, axes, x, outputSize);
  if (sizes.every((size) => size === 1)) return x.mean(spatialAxes(x.rank, axes), { keepDims: true });
  if (windows !== undefined) return averages[axes - 1](x, windows);
  const y = sizes.reduce<Tensor>((part, size, i) => averageAlong(part, i + 2, size), images);
  const result = likeImages(y, images);
  return x.rank === axes + 1 ? result.squeeze(0) : result;
}

function adaptiveLargest(operation: string, axes: number, x: Tensor, outputSize: PerAxis): Tensor {
  const { images, sizes, windows } = layOut(operation, axes, x, outputSize);
  if (windows !== undefined) return largests[axes - 1](x, windows);
  // From the last axis to the first: of equals, the first in the plane then wins, as in PyTorch.
  const y = sizes.reduceRight<Tensor>((part, size, i) => largestAlong(part, i + 2, size), images);
  const result = likeImages(y, images);
  return x.rank === axes + 1 ? result.squeeze(0) : result;
}

/** The sizes asked for, and the windows of equal size that give them, where there are such. */
function layOut(
  operation: string,
  axes: number,
  x: Tensor,
  outputSize: PerAxis,
): { images: Tensor; sizes: readonly number[]; windows: readonly number[] | undefined } {
  requireFloat(operation, x);
  const images = asBatch(operation, x, axes);
  const sizes = perAxis(operation, "the output size", outputSize, axes, 1);
  const spatial = images.shape.slice(2);
  const equal = spatial.every((size, i) => size > 0 && size % sizes[i] === 0);
  return { images, sizes, windows: equal ? spatial.map((size, i) => size / sizes[i]) : undefined };
}

function spatialAxes(rank: number, axes: number): number[] {
  return Array.from({ length: axes }, (_, i) => rank - axes + i);
}

function spansOf(size: number, count: number): Span[] {
  return Array.from({ length: count }, (_, i) => ({
    start: Math.floor((i * size) / count),
    end: Math.ceil(((i + 1) * size) / count),
  }));
}

/** Means along one axis as a matrix product. */
function averageAlong(x: Tensor, axis: number, count: number): Tensor {
  const size = x.shape[axis];
  const matrix = x._empty([size, count], x.dtype);
  matrix._fill(0);
  spansOf(size, count).forEach(({ start, end }, i) => {
    matrix
      .slice(0, start, end)
      .slice(1, i, i + 1)
      ._fill(1 / (end - start));
  });
  return x.transpose(axis, -1).matmul(matrix).transpose(axis, -1);
}

/** Largest elements along one axis: the windows side by side, short ones with their last element repeated. */
function largestAlong(x: Tensor, axis: number, count: number): Tensor {
  const spans = spansOf(x.shape[axis], count);
  const longest = Math.max(...spans.map(({ start, end }) => end - start));
  const positions = x._range(count * longest);
  const elements = positions.storage.elements("int32");
  spans.forEach(({ start, end }, i) => {
    for (let k = 0; k < longest; k++) elements[i * longest + k] = Math.min(start + k, end - 1);
  });
  return x
    .indexSelect(axis, positions)
    .unflatten(axis, [count, longest])
    .max(axis + 1).values;
}

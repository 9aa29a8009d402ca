import type { View } from "../../backend/backend.ts";
import { ArgumentError, ShapeError } from "../../backend/errors.ts";
import { input, Kernel } from "../../backend/expr.ts";
import type { Windows } from "../../backend/fast.ts";
import { mapSizes, type Shape } from "../../backend/shape.ts";
import type { Tensor } from "../tensor.ts";

/** One number for all spatial axes, or one for each. */
export type PerAxis = number | readonly number[];

/** What goes around an image: a number for all sides, or for each spatial axis a number or `[before, after]`. */
export type Padding = number | readonly (number | readonly [number, number])[];

/** A start, in the memory of an image, that windows of a size move over. */
interface Moves {
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
}

const identity = new Kernel([input(0)], 1);

/**
 * One whole number for each of `axes` spatial axes.
 * @throws {@link ArgumentError} for another count, fractions, or numbers below `least`.
 */
export function perAxis(operation: string, name: string, value: PerAxis, axes: number, least: number): number[] {
  const list = typeof value === "number" ? new Array<number>(axes).fill(value) : [...value];
  if (list.length !== axes || list.some((n) => !Number.isSafeInteger(n) || n < least)) {
    throw new ArgumentError(
      operation,
      `${name} must be a whole number from ${least}, or ${axes} of them; got ${typeof value === "number" ? value : `[${value}]`}.`,
    );
  }
  return list;
}

/** The padding before and after each of `axes` spatial axes. @throws {@link ArgumentError} as {@link perAxis}. */
export function paddingOf(operation: string, value: Padding, axes: number): { before: number[]; after: number[] } {
  const side = (which: 0 | 1): number[] =>
    perAxis(
      operation,
      "padding",
      typeof value === "number" ? value : value.map((pad) => (typeof pad === "number" ? pad : pad[which])),
      axes,
      0,
    );
  return { before: side(0), after: side(1) };
}

/**
 * A batch of images from what may be one image. Shapes: `[c, …]` or `[n, c, …]` with `axes` spatial axes → `[n, c, …]`.
 * @throws {@link ShapeError} for another rank.
 */
export function asBatch(operation: string, x: Tensor, axes: number): Tensor {
  if (x.rank === axes + 2) return x;
  if (x.rank === axes + 1) return x.unsqueeze(0);
  throw new ShapeError(
    operation,
    `input [${x.shape}] has ${x.rank} axes (${x.rank} ≠ ${axes + 2}); it must be [n, c, ${axes} spatial sizes], or one image without n.`,
  );
}

/** How many places a window of `kernel` taps has over `size` elements and their padding; 0 or less where it does not fit. */
export function placesAlong(size: number, kernel: number, stride: number, padding: number, dilation: number): number {
  return Math.floor((size + padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

/**
 * A copy of an image batch with `before` elements of `value` in front of each spatial axis, and as many behind as windows
 * need that have `places` places; the image itself where nothing is missing.
 */
export function paddedFor(x: Tensor, kernel: Shape, places: Shape, windows: Windows, value: number): Tensor {
  const { stride, dilation, before } = windows;
  const spatial = x.shape.slice(2);
  const reach = spatial.map((size, i) =>
    Math.max(size + before[i], (places[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1),
  );
  if (spatial.every((size, i) => size === reach[i] && before[i] === 0)) return x;
  const result = x._empty([...x.shape.slice(0, 2), ...reach], x.dtype);
  result._fill(value);
  const offset = before.reduce((sum, pad, i) => sum + pad * result.strides[i + 2], 0);
  const inside = x._wrap(result.storage, x.shape, result.strides, offset, x.dtype);
  x.storage.backend.map(identity, [x], [inside], []);
  return result;
}

/**
 * The opposite of taking windows: the gradient's elements `stride` apart with zeros between, so that windows of flipped
 * taps over the result, one step at a time, meet at each input element all outputs it took part in.
 */
export function spreadOut(gradient: Tensor, kernel: Shape, size: Shape, { stride, dilation, before }: Windows): Tensor {
  const border = kernel.map((k, i) => dilation[i] * (k - 1) - before[i]); // may be negative: then outputs are cut off
  const reach = size.map((n, i) => n + dilation[i] * (kernel[i] - 1));
  const result = gradient._empty([...gradient.shape.slice(0, 2), ...reach], gradient.dtype);
  result._fill(0);
  const first = border.map((b, i) => Math.max(0, Math.ceil(-b / stride[i])));
  const counts = gradient.shape.slice(2).map((places, i) => {
    const last = Math.min(places - 1, Math.floor((reach[i] - 1 - border[i]) / stride[i]));
    return Math.max(0, last - first[i] + 1);
  });
  const shape = [...gradient.shape.slice(0, 2), ...counts];
  if (counts.includes(0)) return result;
  const at = (strides: readonly number[], start: readonly number[]): number =>
    start.reduce((sum, position, i) => sum + position * strides[i + 2], 0);
  const from = gradient.offset + at(gradient.strides, first);
  const source = gradient._wrap(gradient.storage, shape, gradient.strides, from, gradient.dtype);
  const to = at(
    result.strides,
    first.map((f, i) => f * stride[i] + border[i]),
  );
  const steps = mapSizes(result.strides, (step, i) => (i < 2 ? step : step * stride[i - 2]));
  const target = gradient._wrap(result.storage, shape, steps, to, gradient.dtype);
  gradient.storage.backend.map(identity, [source], [target], []);
  return result;
}

/** Strides of the places and of the taps of windows over the spatial axes of an image batch. */
export function windowStrides(x: View, { stride, dilation }: Moves): { places: number[]; taps: number[] } {
  const spatial = x.strides.slice(2);
  return {
    places: spatial.map((step, i) => step * stride[i]),
    taps: spatial.map((step, i) => step * dilation[i]),
  };
}

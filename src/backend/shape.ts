import { ArgumentError, IndexError, ShapeError } from "./errors.ts";

/** Sizes of the axes, outermost first; `[]` is a single number. */
export type Shape = readonly number[];

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (let i = 0; i < shape.length; i++) size *= shape[i];
  return size;
}

/**
 * As `sizes.map`, made from a copy: V8 keeps two kinds of arrays apart, those that were filled from the start and those
 * that were not (of `new Array(n)`, and of `map` once it is compiled), and code that meets both is compiled anew.
 */
export function mapSizes(sizes: readonly number[], to: (size: number, i: number) => number): number[] {
  const result = sizes.slice();
  for (let i = 0; i < result.length; i++) result[i] = to(sizes[i], i);
  return result;
}

/** The shape after reducing over `axes`, which stay with size 1. */
export function keptShape(shape: Shape, axes: readonly number[]): Shape {
  return mapSizes(shape, (size, i) => (axes.includes(i) ? 1 : size));
}

/** Row-major strides, in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = shape.slice();
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i] === 0 ? 1 : shape[i];
  }
  return strides;
}

/** Strides of an `[n, c, …spatial]` shape whose memory order is `[n, …spatial, c]`. */
export function channelsLastStrides(shape: Shape): number[] {
  const order = [0, ...shape.keys()].filter((axis, i) => i === 0 || axis > 1);
  return stridesInOrder(shape, [...order, 1]);
}

/** Dense strides that lay the axes out in `order`, outermost first. */
export function stridesInOrder(shape: Shape, order: readonly number[]): number[] {
  const strides = shape.slice();
  let step = 1;
  for (let i = order.length - 1; i >= 0; i--) {
    strides[order[i]] = step;
    step *= shape[order[i]] === 0 ? 1 : shape[order[i]];
  }
  return strides;
}

/** Whether the elements lie one after another in row-major order; axes of size 1 do not matter. */
export function isContiguous(shape: Shape, strides: readonly number[]): boolean {
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 0) return true;
    if (shape[i] !== 1) {
      if (strides[i] !== step) return false;
      step *= shape[i];
    }
  }
  return true;
}

/** Whether the elements fill one block of memory without gaps, in any order of the axes. */
export function isDense(shape: Shape, strides: readonly number[]): boolean {
  if (isContiguous(shape, strides)) return true;
  const axes = [...shape.keys()].filter((axis) => shape[axis] !== 1).sort((a, b) => strides[a] - strides[b]);
  let step = 1;
  for (const axis of axes) {
    if (strides[axis] !== step) return false;
    step *= shape[axis];
  }
  return true;
}

/** Whether two shapes are the same. */
export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * The shape two or more shapes broadcast to, by NumPy's rule: aligned at the right, sizes equal or 1.
 * @throws {@link ShapeError} naming `operation` and the shapes that do not fit.
 */
export function broadcastShapes(operation: string, shapes: readonly Shape[]): Shape {
  let result = shapes[0];
  for (let k = 1; k < shapes.length; k++) {
    const shape = shapes[k];
    if (!sameShape(result, shape)) result = broadcastPair(operation, result, shape);
  }
  return result;
}

/** Strides that let a view of `shape` be read as one of `target`: 0 along stretched axes. */
export function broadcastStrides(shape: Shape, strides: readonly number[], target: Shape): readonly number[] {
  if (sameShape(shape, target)) return strides;
  const lead = target.length - shape.length;
  return mapSizes(target, (size, i) => (i < lead || (shape[i - lead] === 1 && size !== 1) ? 0 : strides[i - lead]));
}

/**
 * An axis counted from 0, from one that may count from the end.
 * @throws {@link IndexError} outside `-rank … rank-1`.
 */
export function normalizeAxis(operation: string, axis: number, rank: number): number {
  const span = Math.max(rank, 1);
  if (!Number.isInteger(axis) || axis < -span || axis >= span) {
    throw new IndexError(operation, `axis ${axis} is out of range for ${rank} axes (${-span} to ${span - 1}).`);
  }
  return axis < 0 ? axis + span : axis;
}

/**
 * Axes counted from 0, ascending; `undefined` means all.
 * @throws {@link IndexError} for an axis out of range, {@link ArgumentError} for one named twice.
 */
export function normalizeAxes(operation: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  if (typeof axes === "number")
    return rank === 0 ? normalizeAxes(operation, [axes], 0) : [normalizeAxis(operation, axes, rank)];
  const normal = axes.map((axis) => normalizeAxis(operation, axis, rank)).filter((axis) => axis < rank);
  if (normal.length > 1 && new Set(normal).size !== normal.length) {
    throw new ArgumentError(operation, `an axis is named twice in [${axes}].`);
  }
  return normal.sort((a, b) => a - b);
}

/**
 * Refuses sizes that are not whole numbers from 0, or that together pass what can be indexed.
 * @throws {@link ShapeError}
 */
export function checkShape(operation: string, shape: Shape): void {
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new ShapeError(operation, `sizes must be whole numbers from 0, got [${shape}] (${size}).`);
    }
  }
  if (sizeOf(shape) > 2 ** 40) throw new ShapeError(operation, `[${shape}] has too many elements (${sizeOf(shape)}).`);
}

function broadcastPair(operation: string, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  const result = (a.length === rank ? a : b).slice();
  for (let i = 0; i < rank; i++) {
    const m = a[a.length - rank + i] ?? 1;
    const n = b[b.length - rank + i] ?? 1;
    if (m !== n && m !== 1 && n !== 1) {
      throw new ShapeError(
        operation,
        `shapes do not broadcast: [${a}] and [${b}] (${m} ≠ ${n}). Sizes must be equal or 1.`,
      );
    }
    result[i] = m === 1 ? n : m;
  }
  return result;
}

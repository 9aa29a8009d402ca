import type { View } from "../backend.ts";
import { broadcastStrides, isContiguous, type Shape, sizeOf } from "../shape.ts";

/** Axes to run over, outermost first, and the strides of each view along them. */
export interface Loops {
  readonly shape: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/** The strides with which a view is read as one of `shape`. */
export function stridesFor(view: View, shape: Shape): readonly number[] {
  return broadcastStrides(view.shape, view.strides, shape);
}

/**
 * The fewest loops that visit the same positions: axes of size 1 go, neighbours that are one run in every view merge.
 * With `guide`, axes are first ordered by the strides of that view, so that the innermost loop walks through memory.
 */
export function collapse(shape: Shape, strides: readonly (readonly number[])[], guide?: readonly number[]): Loops {
  let axes: number[] = [];
  for (let axis = 0; axis < shape.length; axis++) if (shape[axis] !== 1) axes.push(axis);
  if (guide !== undefined && !isContiguous(shape, guide)) {
    axes = axes.sort((a, b) => Math.abs(guide[b]) - Math.abs(guide[a]) || a - b);
  }
  const sizes: number[] = [];
  const steps: number[][] = strides.map(() => []);
  for (const axis of axes) {
    const last = sizes.length - 1;
    const size = shape[axis];
    if (last >= 0 && strides.every((s, v) => steps[v][last] === s[axis] * size)) {
      sizes[last] *= size;
      for (let v = 0; v < strides.length; v++) steps[v][last] = strides[v][axis];
    } else {
      sizes.push(size);
      for (let v = 0; v < strides.length; v++) steps[v].push(strides[v][axis]);
    }
  }
  return { shape: sizes, strides: steps };
}

/**
 * Calls `visit` for every position of the first `rank` axes of `loops`, outermost slowest, with `offsets` (one for each
 * view) moved there; afterwards they are where they were.
 */
export function eachPosition(
  loops: Loops,
  offsets: number[],
  visit: () => void,
  rank: number = loops.shape.length,
): void {
  const { shape, strides } = loops;
  if (rank === 0) {
    visit();
    return;
  }
  if (sizeOf(shape.slice(0, rank)) === 0) return;
  const position = new Array<number>(rank).fill(0);
  for (;;) {
    visit();
    let axis = rank - 1;
    while (axis >= 0 && ++position[axis] === shape[axis]) {
      position[axis] = 0;
      for (let v = 0; v < offsets.length; v++) offsets[v] -= strides[v][axis] * (shape[axis] - 1);
      axis--;
    }
    if (axis < 0) return;
    for (let v = 0; v < offsets.length; v++) offsets[v] += strides[v][axis];
  }
}

/** Calls `visit` for every line along `axis` of views of one shape (up to the size of `axis`), with their offsets. */
export function eachLane(views: readonly View[], axis: number, visit: (offsets: readonly number[]) => void): void {
  const offsets = views.map((view) => view.offset);
  const others = views[0].shape.filter((_, i) => i !== axis);
  const strides = views.map((view) => view.strides.filter((_, i) => i !== axis));
  eachPosition(collapse(others, strides), offsets, () => visit(offsets));
}

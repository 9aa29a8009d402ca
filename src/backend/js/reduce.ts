import type { ReduceKind, View } from "../backend.ts";
import type { Kernel } from "../expr.ts";
import { type Shape, sizeOf } from "../shape.ts";
import { storeLane } from "./element.ts";
import { collapse, eachPosition, type Loops, stridesFor } from "./loops.ts";
import { joins, type KeptLoop } from "./nest.ts";
import type { NestCache } from "./nestCache.ts";

/** See {@link Backend.reduce}. Joins in float64, in the order of memory. */
export function reduce(
  nests: NestCache,
  kind: ReduceKind,
  kernel: Kernel,
  inputs: readonly View[],
  shape: Shape,
  out: View,
  scalars: readonly number[],
): void {
  if (sizeOf(out.shape) === 0) return;
  const { kept, reduced } = split(inputs, shape, out);
  const last = kept.shape.length - 1;
  const count = kept.shape[last] ?? 1;
  const sums = new Float64Array(count);
  const run = laneRunner(nests, kind, kernel, inputs, out, scalars, kept, reduced, sums);
  const outStride = kept.strides[inputs.length][last] ?? 0;
  const target = out.storage.elements(out.dtype);
  const offsets = [...inputs.map((view) => view.offset), out.offset];
  const visit = (): void => {
    sums.fill(joins[kind].identity);
    run(offsets);
    storeLane(sums, target, out.dtype, offsets[inputs.length], outStride);
  };
  eachPosition(kept, offsets, visit, Math.max(0, last));
}

/** Loops over the axes that stay (inputs and out) and over those that go (inputs). */
function split(inputs: readonly View[], shape: Shape, out: View): { kept: Loops; reduced: Loops } {
  const strides = inputs.map((view) => stridesFor(view, shape));
  const isReduced = shape.map((size, axis) => size !== 1 && out.shape[axis] === 1);
  const keep = <T>(values: readonly T[]): T[] => values.filter((_, axis) => !isReduced[axis]);
  const drop = <T>(values: readonly T[]): T[] => values.filter((_, axis) => isReduced[axis]);
  const keptStrides = [...strides, out.strides].map(keep);
  const reducedStrides = strides.map(drop);
  return {
    kept: collapse(keep(shape), keptStrides, keep(out.strides)),
    reduced: collapse(drop(shape), reducedStrides, reducedStrides[0]),
  };
}

/** Joins everything that belongs to the innermost kept axis into `sums`, whose first elements lie at the given offsets. */
function laneRunner(
  nests: NestCache,
  kind: ReduceKind,
  kernel: Kernel,
  inputs: readonly View[],
  out: View,
  scalars: readonly number[],
  kept: Loops,
  reduced: Loops,
  sums: Float64Array,
): (offsets: readonly number[]) => void {
  const keptAxis = kept.shape.length - 1;
  const inner = reduced.shape.length - 1;
  const keptLoop = chooseLoop(inputs.length, kept, reduced);
  const order = keptLoop === "inner" ? [2, 0, 1] : [0, 1, 2]; // of (inner, next, kept) in loops 0, 1, 2
  const arrange = (values: readonly number[]): number[] => order.map((i) => values[i]);
  const strides: number[] = [];
  for (let v = 0; v < inputs.length; v++) {
    const steps = reduced.strides[v];
    strides.push(...arrange([steps[inner] ?? 0, steps[inner - 1] ?? 0, kept.strides[v][keptAxis] ?? 0]));
  }
  const sizes = arrange([reduced.shape[inner] ?? 1, reduced.shape[inner - 1] ?? 1, sums.length]);
  const nest = nests.get({
    kernel,
    dtypes: inputs.map((view) => view.dtype),
    innerStrides: inputs.map((_, v) => strides[3 * v]),
    reduce: { kind, kept: keptLoop, asBool: out.dtype === "bool" && (kind === "max" || kind === "min") },
  });
  const data = inputs.map((view) => view.storage.elements(view.dtype));
  const at = new Array<number>(inputs.length);
  return (offsets) => {
    for (let v = 0; v < inputs.length; v++) at[v] = offsets[v];
    eachPosition(reduced, at, () => nest(data, at, strides, sizes, scalars, sums), Math.max(0, inner - 1));
  };
}

/** The innermost loop should be the one that steps least through memory. */
function chooseLoop(inputs: number, kept: Loops, reduced: Loops): KeptLoop {
  if (kept.shape.length === 0 || reduced.shape.length === 0) return "outer";
  let difference = 0;
  for (let v = 0; v < inputs; v++) {
    difference += Math.abs(kept.strides[v].at(-1) ?? 0) - Math.abs(reduced.strides[v].at(-1) ?? 0);
  }
  return difference < 0 ? "inner" : "outer";
}

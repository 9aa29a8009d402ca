import type { View } from "../backend.ts";
import type { Kernel } from "../expr.ts";
import { sizeOf } from "../shape.ts";
import { collapse, eachPosition, stridesFor } from "./loops.ts";
import type { NestCache } from "./nestCache.ts";

const noSums = new Float64Array(0);

/** See {@link Backend.map}. */
export function map(
  nests: NestCache,
  kernel: Kernel,
  inputs: readonly View[],
  outputs: readonly View[],
  scalars: readonly number[],
): void {
  const { shape } = outputs[0];
  if (sizeOf(shape) === 0) return;
  const views = [...inputs, ...outputs];
  const loops = collapse(
    shape,
    views.map((view) => stridesFor(view, shape)),
    outputs[0].strides,
  );
  const inner = loops.shape.length - 1;
  const outer = Math.max(0, inner - 1);
  const strides: number[] = [];
  for (const steps of loops.strides) strides.push(steps[inner] ?? 0, steps[inner - 1] ?? 0, 0);
  const nest = nests.get({
    kernel,
    dtypes: views.map((view) => view.dtype),
    innerStrides: loops.strides.map((steps) => steps[inner] ?? 0),
  });
  const data = views.map((view) => view.storage.elements(view.dtype));
  const offsets = views.map((view) => view.offset);
  const sizes = [loops.shape[inner] ?? 1, loops.shape[inner - 1] ?? 1, 1];
  eachPosition(loops, offsets, () => nest(data, offsets, strides, sizes, scalars, noSums), outer);
}

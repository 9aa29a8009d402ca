import type { View } from "../backend.ts";
import { IndexError } from "../errors.ts";
import { sizeOf } from "../shape.ts";
import { loadOf, storeOf } from "./element.ts";
import { collapse, eachPosition, type Loops } from "./loops.ts";

/** See {@link Backend.gather}. */
export function gather(operation: string, x: View, index: View, axis: number, out: View): void {
  if (sizeOf(out.shape) === 0) return;
  checkIndices(operation, index, axis, x.shape[axis]);
  const from = x.storage.elements(x.dtype);
  const to = out.storage.elements(out.dtype);
  eachRow(index, axis, x, out, (xAt, outAt, n, xStep, outStep) => {
    for (let i = 0; i < n; i++) to[outAt + i * outStep] = from[xAt + i * xStep];
  });
}

/** See {@link Backend.scatterAdd}. Every index is checked before anything is written. */
export function scatterAdd(operation: string, out: View, index: View, axis: number, source: View): void {
  if (sizeOf(source.shape) === 0) return;
  checkIndices(operation, index, axis, out.shape[axis]);
  const from = source.storage.elements(source.dtype);
  const to = out.storage.elements(out.dtype);
  const value = loadOf(source.dtype);
  const before = loadOf(out.dtype);
  const store = storeOf(out.dtype);
  eachRow(index, axis, out, source, (outAt, sourceAt, n, outStep, sourceStep) => {
    for (let i = 0; i < n; i++) {
      const raw = from[sourceAt + i * sourceStep];
      const at = outAt + i * outStep;
      const sum = (before === undefined ? to[at] : before(to[at])) + (value === undefined ? raw : value(raw));
      to[at] = store === undefined ? sum : store(sum);
    }
  });
}

/**
 * Pairs rows of the view that is indexed with rows of the view that has the shape of `index`: axes along which the index
 * does not change are run through together.
 */
function eachRow(
  index: View,
  axis: number,
  indexed: View,
  plain: View,
  visit: (indexedAt: number, plainAt: number, n: number, indexedStep: number, plainStep: number) => void,
): void {
  const isRow = index.shape.map((size, i) => i !== axis && (index.strides[i] === 0 || size === 1));
  const select = (values: readonly number[], rows: boolean): number[] => values.filter((_, i) => isRow[i] === rows);
  const fixed = indexed.strides.map((stride, i) => (i === axis ? 0 : stride));
  const outer = collapse(
    select(index.shape, false),
    [index.strides, fixed, plain.strides].map((strides) => select(strides, false)),
  );
  const rows = collapse(
    select(index.shape, true),
    [fixed, plain.strides].map((strides) => select(strides, true)),
  );
  const inner = rows.shape.length - 1;
  const n = rows.shape[inner] ?? 1;
  const [indexedStep, plainStep] = rows.strides.map((strides) => strides[inner] ?? 0);
  const indices = index.storage.elements(index.dtype);
  const offsets = [index.offset, indexed.offset, plain.offset];
  const at = [0, 0];
  const visitRow = (): void => visit(at[0], at[1], n, indexedStep, plainStep);
  const visitOuter = (): void => {
    at[0] = offsets[1] + indices[offsets[0]] * indexed.strides[axis];
    at[1] = offsets[2];
    eachPosition(rows, at, visitRow, Math.max(0, inner));
  };
  eachPosition(outer, offsets, visitOuter);
}

function checkIndices(operation: string, index: View, axis: number, size: number): void {
  const indices = index.storage.elements(index.dtype);
  const distinct = index.shape.map((n, i) => (index.strides[i] === 0 ? 1 : n));
  const loops: Loops = collapse(distinct, [index.strides]);
  const inner = loops.shape.length - 1;
  const n = loops.shape[inner] ?? 1;
  const step = loops.strides[0][inner] ?? 0;
  const offsets = [index.offset];
  const visit = (): void => {
    for (let i = 0; i < n; i++) {
      const value = indices[offsets[0] + i * step];
      if (value < 0 || value >= size) throw outOfRange(operation, value, axis, size);
    }
  };
  eachPosition(loops, offsets, visit, Math.max(0, inner));
}

function outOfRange(operation: string, value: number, axis: number, size: number): IndexError {
  const range = size === 0 ? "there is nothing to index" : `0 to ${size - 1}`;
  return new IndexError(operation, `index ${value} is out of range for axis ${axis} of size ${size} (${range}).`);
}

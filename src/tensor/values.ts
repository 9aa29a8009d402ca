import type { DType, TypedArray } from "../backend/dtype.ts";
import { DataError, ShapeError } from "../backend/errors.ts";
import { fromBfloat16, fromFloat16 } from "../backend/js/half.ts";
import type { Shape } from "../backend/shape.ts";

/** Numbers or bools in arrays of arrays, all of one length at each depth. */
export type NestedArray = number | boolean | readonly NestedArray[];

/** What a tensor can be made of. */
export type TensorData = NestedArray | Float32Array | Float64Array | Int32Array | Uint8Array;

/** A stored element as a JavaScript number. */
export function decode(dtype: DType, raw: number): number {
  if (dtype === "float16") return fromFloat16(raw);
  if (dtype === "bfloat16") return fromBfloat16(raw);
  return raw;
}

const ranges: Partial<Record<DType, readonly [number, number]>> = { int32: [-(2 ** 31), 2 ** 31 - 1], uint8: [0, 255] };

/**
 * Refuses a number that an integer dtype cannot hold; fractions are cut off.
 * @throws {@link DataError} naming the number and where it stands.
 */
export function checkFits(operation: string, dtype: DType, value: number, place = ""): void {
  const range = ranges[dtype];
  if (range === undefined) return;
  const whole = Math.trunc(value);
  if (!(whole >= range[0] && whole <= range[1])) {
    throw new DataError(operation, `${value}${place} does not fit ${dtype} (${range[0]} to ${range[1]}).`);
  }
}

/** A flat array in row-major order as nested arrays of a shape. */
export function nest(flat: TypedArray, shape: Shape, dtype: DType): NestedArray {
  const value = (i: number): number | boolean => (dtype === "bool" ? flat[i] !== 0 : flat[i]);
  let position = 0;
  const build = (axis: number): NestedArray => {
    if (axis === shape.length) return value(position++);
    return Array.from({ length: shape[axis] }, () => build(axis + 1));
  };
  return build(0);
}

/** Shape, dtype and row-major elements of what a user gave. */
export function flatten(data: TensorData): { shape: Shape; dtype: DType; values: ArrayLike<number> } {
  if (data instanceof Float32Array) return { shape: [data.length], dtype: "float32", values: data };
  if (data instanceof Float64Array) return { shape: [data.length], dtype: "float32", values: data };
  if (data instanceof Int32Array) return { shape: [data.length], dtype: "int32", values: data };
  if (data instanceof Uint8Array) return { shape: [data.length], dtype: "uint8", values: data };
  const shape: number[] = [];
  for (let level: NestedArray = data; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  const values: number[] = [];
  const bools = collect(data, shape, 0, values);
  return { shape, dtype: bools > 0 && bools === values.length ? "bool" : "float32", values };
}

/** Appends the leaves and counts the bools among them. */
function collect(data: NestedArray, shape: Shape, depth: number, values: number[]): number {
  if (isList(data)) {
    if (depth >= shape.length || data.length !== shape[depth]) {
      const wanted = depth >= shape.length ? "a number" : `${shape[depth]} entries`;
      throw new ShapeError("tensor", `rows differ: expected ${wanted} at depth ${depth}, got ${data.length} entries.`);
    }
    let bools = 0;
    for (const part of data) bools += collect(part, shape, depth + 1, values); // holes of sparse arrays count as undefined
    return bools;
  }
  if (typeof data !== "number" && typeof data !== "boolean") {
    throw new DataError("tensor", `elements must be numbers or booleans, got ${data === null ? "null" : typeof data}.`);
  }
  if (depth !== shape.length) {
    throw new ShapeError("tensor", `rows differ: expected ${shape[depth]} entries at depth ${depth}, got ${data}.`);
  }
  values.push(Number(data));
  return typeof data === "boolean" ? 1 : 0;
}

function isList(data: NestedArray): data is readonly NestedArray[] {
  return Array.isArray(data);
}

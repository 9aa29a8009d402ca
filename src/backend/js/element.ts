import { type DType, dtypes, type TypedArray } from "../dtype.ts";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "./half.ts";

/** Turns a raw element into its value. */
export type Load = (raw: number) => number;

/** Turns a value into a raw element; typed arrays do the rest (rounding, truncation, wrapping). */
export type Store = (value: number) => number;

/** How raw elements of a dtype become values, where they are not values already. */
export function loadOf(dtype: DType): Load | undefined {
  if (dtype === "float16") return fromFloat16;
  return dtype === "bfloat16" ? fromBfloat16 : undefined;
}

/** How values become raw elements of a dtype, where storing does not do it. */
export function storeOf(dtype: DType): Store | undefined {
  if (dtype === "float16") return toFloat16;
  if (dtype === "bfloat16") return toBfloat16;
  return dtype === "bool" ? toBool : undefined;
}

/** Copies of `count` elements as values. */
export function loadLane(data: TypedArray, dtype: DType, offset: number, stride: number, out: Float64Array): void {
  const load = loadOf(dtype);
  if (load === undefined) for (let i = 0, p = offset; i < out.length; i++, p += stride) out[i] = data[p];
  else for (let i = 0, p = offset; i < out.length; i++, p += stride) out[i] = load(data[p]);
}

/** Writes values as elements. */
export function storeLane(values: Float64Array, data: TypedArray, dtype: DType, offset: number, stride: number): void {
  const store = storeOf(dtype);
  if (store === undefined) for (let i = 0, p = offset; i < values.length; i++, p += stride) data[p] = values[i];
  else for (let i = 0, p = offset; i < values.length; i++, p += stride) data[p] = store(values[i]);
}

/** A short mark of a dtype for cache keys. */
export function markOf(dtype: DType): number {
  return dtypes[dtype].code;
}

function toBool(value: number): number {
  return value !== 0 ? 1 : 0;
}

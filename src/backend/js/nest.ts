import type { ReduceKind } from "../backend.ts";
import type { DType, TypedArray } from "../dtype.ts";
import type { Kernel } from "../expr.ts";

/**
 * Three nested loops over a kernel: the unit of work of map and reduce. Loop 2 is outermost.
 * A map writes the elements; a reduction joins values into `sums`, one for each step of its kept loop.
 */
export type Nest = (
  data: readonly TypedArray[], // inputs, then outputs of a map
  offsets: readonly number[], // of each view
  strides: readonly number[], // strides[3 · view + loop]
  sizes: readonly number[], // of loop 0, 1, 2
  scalars: readonly number[],
  sums: Float64Array,
) => void;

/** Which loop of a reduction keeps its axis: the outermost (each sum finished in turn) or the innermost (all at once). */
export type KeptLoop = "outer" | "inner";

/** What a {@link Nest} is specialised for. */
export interface NestSpec {
  readonly kernel: Kernel;
  readonly dtypes: readonly DType[];
  /** Strides of the innermost loop. Exact for 0 and 1; any other number stands for all others. */
  readonly innerStrides: readonly number[];
  /** How a reduction joins; `asBool` joins truth values instead of numbers. */
  readonly reduce?: { readonly kind: ReduceKind; readonly kept: KeptLoop; readonly asBool: boolean };
}

/** The neutral element of each way to join, and how two values join. */
export const joins: Readonly<
  Record<
    ReduceKind,
    { readonly identity: number; readonly text: string; readonly join: (a: number, b: number) => number }
  >
> = {
  sum: { identity: 0, text: "sum + v", join: (a, b) => a + b },
  prod: { identity: 1, text: "sum * v", join: (a, b) => a * b },
  max: { identity: -Infinity, text: "Math.max(sum, v)", join: (a, b) => Math.max(a, b) },
  min: { identity: Infinity, text: "Math.min(sum, v)", join: (a, b) => Math.min(a, b) },
};

/**
 * The backend contract. A backend owns memory and runs loops over it; it knows nothing of gradients.
 * `js` is the definition; every other backend, and every fast kernel, is tested against it.
 *
 * Callers promise: shapes agree, views stay inside their storage, outputs are dense and do not overlap inputs
 * (an output may be the same view as an input). Backends check what comes from data: indices and targets.
 */
import type { DType } from "./dtype.ts";
import type { Kernel } from "./expr.ts";
import type { FastKernels } from "./fast.ts";
import type { Shape } from "./shape.ts";
import type { Storage } from "./storage.ts";

/** A window on a storage: strides and offset count elements. Tensors are views. */
export interface View {
  readonly storage: Storage;
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
  readonly dtype: DType;
}

/** How a reduction joins two values; on bool, max is "any" and min is "all". NaN wins in max and min. */
export type ReduceKind = "sum" | "prod" | "max" | "min";

/** What a random fill draws. `low` and `high` bound uniform and integer draws; a bernoulli's `high` is its probability. */
export type RandomKind = "uniform" | "normal" | "integers" | "bernoulli";

/** Where in the random sequence a fill starts: equal keys give equal bits on every backend, for any thread count. */
export interface RandomKey {
  readonly seed: number; // 0 … 2^53 − 1
  readonly stream: number; // 0 … 2^32 − 1
  readonly counter: number; // in blocks of four 32-bit words; element i lies in block counter + ⌊i/4⌋
}

/** Bytes a backend holds. */
export interface MemoryUse {
  /** Bytes in tensors that are reachable, or not yet collected. */
  readonly live: number;
  /** Bytes kept for reuse. */
  readonly cached: number;
  /** The highest `live` seen. */
  readonly peak: number;
}

/** The verbs a backend must have; leaving one out does not compile. */
export interface Backend {
  readonly name: string;

  /** Memory of at least `byteLength` bytes, uninitialised. */
  allocate(byteLength: number): Storage;
  /** Gives back memory known to be dead, for reuse at once. */
  release(storage: Storage): void;
  /** Says that a backward pass is over: much of what was made since the one before may be dead by now. */
  passed(): void;
  memory(): MemoryUse;
  /** Copies bytes in. */
  write(storage: Storage, bytes: Uint8Array, byteOffset: number): void;
  /** Copies bytes out, when the device has computed them. */
  read(storage: Storage, byteOffset: number, byteLength: number): Promise<Uint8Array>;

  /**
   * `outputs[k][…] = kernel.outputs[k](inputs[0][…], …)`, with inputs broadcast to the shape of the outputs and values
   * converted to each output's dtype (to integers by truncation, to bool by ≠ 0). All outputs have the same shape.
   */
  map(kernel: Kernel, inputs: readonly View[], outputs: readonly View[], scalars: readonly number[]): void;

  /** `map` of one kernel over many sets of views with the same scalars, in one call: an optimizer step. */
  mapEach(
    kernel: Kernel,
    inputs: readonly (readonly View[])[],
    outputs: readonly (readonly View[])[],
    scalars: readonly number[],
  ): void;

  /**
   * Joins `kernel.outputs[0]` over the axes where `out` has size 1 and the broadcast shape of the inputs has not.
   * `out` has the rank of that shape. Sums of 16-bit and 32-bit floats run at least in float32.
   * Empty: sum 0, prod 1; max and min of nothing are refused by the caller.
   */
  reduce(
    kind: ReduceKind,
    kernel: Kernel,
    inputs: readonly View[],
    shape: Shape,
    out: View,
    scalars: readonly number[],
  ): void;

  /** Position of the largest or smallest element along `axis`, the first of equals (NaN wins); `out` is int32 of size 1 there. */
  argReduce(kind: "max" | "min", x: View, axis: number, out: View): void;

  /** Running sum or product along `axis`. */
  scan(kind: "sum" | "prod", x: View, axis: number, out: View): void;

  /** Sorts along `axis`, stably, NaN last when ascending; `indices` (int32) says where each value came from. */
  sort(x: View, axis: number, descending: boolean, values: View, indices: View): void;

  /**
   * `out[…, i, …] = x[…, index[…, i, …], …]` along `axis`. `index` is int32 with the shape of `out`; stride 0 in it marks
   * whole rows. Other axes of `x` and `out` agree.
   * @throws IndexError naming the first index outside `0 … x.shape[axis] − 1`.
   */
  gather(operation: string, x: View, index: View, axis: number, out: View): void;

  /**
   * `out[…, index[…, i, …], …] += source[…, i, …]` along `axis`, in the order of `source`; `index` has the shape of `source`.
   * @throws IndexError as gather.
   */
  scatterAdd(operation: string, out: View, index: View, axis: number, source: View): void;

  /** Fills `out`, in its logical order, with draws that depend on the key only. */
  random(kind: RandomKind, key: RandomKey, out: View, low: number, high: number): void;

  /** Hand-tuned kernels; an operation without one runs on map and reduce. */
  readonly fast: Partial<FastKernels>;
}

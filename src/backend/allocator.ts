import { allocateBytes, heldBytes } from "#platform";
import type { MemoryUse } from "./backend.ts";

const MIN_BYTES = 64;
const SAMPLE_BYTES = 32 * 1024 * 1024;

/** How an {@link Allocator} keeps memory. */
export interface AllocatorOptions {
  /** Bytes kept for reuse at most; what is released beyond that is left to the garbage collector. Default 256 MB. */
  readonly maxCachedBytes?: number;
}

/**
 * Buffers in size classes, with a free list of those known to be dead. Buffers nobody releases are collected like any
 * object: V8 owns and counts them, so no finalizer is needed and memory stays bounded in synchronous loops.
 */
export class Allocator {
  private readonly _maxCachedBytes: number;
  private readonly _free = new Map<number, ArrayBuffer[]>();
  private readonly _isFree = new Set<ArrayBuffer>();
  private _cached = 0;
  private _handedOut = 0;
  private _peak = 0;
  private _untilSample = SAMPLE_BYTES;

  constructor({ maxCachedBytes = 256 * 1024 * 1024 }: AllocatorOptions = {}) {
    this._maxCachedBytes = maxCachedBytes;
  }

  /** Uninitialised memory of at least `byteLength` bytes, a multiple of 16. */
  allocate(byteLength: number): ArrayBuffer {
    const size = sizeClass(byteLength);
    const buffer = this._take(size) ?? allocateBytes(size);
    this._handedOut += size;
    this._untilSample -= size;
    if (this._untilSample <= 0) {
      this._untilSample = SAMPLE_BYTES;
      this._sample();
    }
    return buffer;
  }

  /** Gives a buffer back for reuse; giving one back that is free already does nothing. */
  release(buffer: ArrayBuffer): void {
    const size = buffer.byteLength;
    if (this._isFree.has(buffer) || sizeClass(size) !== size) return;
    this._handedOut -= size;
    if (this._cached + size > this._maxCachedBytes) return;
    let list = this._free.get(size);
    if (list === undefined) {
      list = [];
      this._free.set(size, list);
    }
    list.push(buffer);
    this._isFree.add(buffer);
    this._cached += size;
  }

  /** Bytes in use; where the platform does not count, buffers that were collected without a release still count as live. */
  memory(): MemoryUse {
    const live = this._sample();
    return { live, cached: this._cached, peak: this._peak };
  }

  private _take(size: number): ArrayBuffer | undefined {
    const buffer = this._free.get(size)?.pop();
    if (buffer === undefined) return undefined;
    this._isFree.delete(buffer);
    this._cached -= size;
    return buffer;
  }

  private _sample(): number {
    const held = heldBytes();
    const live = Math.max(0, held === undefined ? this._handedOut : held - this._cached);
    this._peak = Math.max(this._peak, live);
    return live;
  }
}

/** Sizes are rounded up to a power of two or one of three steps between, so that at most a fifth is wasted. */
export function sizeClass(byteLength: number): number {
  if (byteLength <= MIN_BYTES) return MIN_BYTES;
  const exponent = Math.floor(Math.log2(byteLength - 1));
  const step = 2 ** (exponent - 2);
  return Math.ceil(byteLength / step) * step;
}

import { allocateBytes, heldBytes } from "#platform";
import type { MemoryUse } from "./backend.ts";
import { bytesPerElement, type DType, type TypedArray, typedArrayOver } from "./dtype.ts";
import { type DeathWatch, Reclaimer, WATCHED_BYTES } from "./reclaimer.ts";

const MIN_BYTES = 64;
const LINE_BYTES = 64;
const SAMPLE_BYTES = 32 * 1024 * 1024;

/** How an {@link Allocator} keeps memory. */
export interface AllocatorOptions {
  /** Bytes kept for reuse at most; what is released beyond that is left to the garbage collector. Default 1 GB. */
  readonly maxCachedBytes?: number;
  /** Where the bytes of a buffer lie in memory: then blocks begin at the start of a cache line. */
  readonly addressOf?: (bytes: ArrayBuffer) => number;
  /** Finds results that were dropped. Default: they are left to the garbage collector. */
  readonly deathWatch?: DeathWatch | undefined;
}

/** Memory with what is found out about it once: it passes from tensor to tensor through the free list. */
export class Block {
  readonly buffer: ArrayBuffer;
  /** Where in the buffer it begins. */
  readonly offset: number;
  /** In bytes. */
  readonly size: number;
  /** Where it lies, for backends that need to know. */
  readonly address: number;
  /** Whether somebody may hold its bytes or elements. */
  isShown = false;
  /** Where a {@link Reclaimer} keeps it, -1 elsewhere, and how many it was given before. */
  slot = -1;
  age = 0;
  /** Whether it waits in a free list. */
  isFree = false;
  private _dtype: DType | undefined;
  private _elements: TypedArray | undefined;

  constructor(buffer: ArrayBuffer, size = buffer.byteLength, offset = 0, address = 0) {
    this.buffer = buffer;
    this.size = size;
    this.offset = offset;
    this.address = address;
  }

  /** Bytes that are there; 0 when the buffer was transferred away. */
  get byteLength(): number {
    return this.buffer.byteLength === 0 ? 0 : this.size;
  }

  /** The whole memory as elements of `dtype` (16-bit floats as their bits). */
  elements(dtype: DType): TypedArray {
    if (this._elements === undefined || this._dtype !== dtype) {
      this._dtype = dtype;
      this._elements = typedArrayOver(dtype, this.buffer, this.offset, Math.floor(this.size / bytesPerElement(dtype)));
    }
    return this._elements;
  }

  /** Some of the memory. */
  bytes(byteOffset: number, byteLength: number): Uint8Array {
    if (byteOffset < 0 || byteOffset + byteLength > this.size) throw new RangeError("bytes outside a block");
    return new Uint8Array(this.buffer, this.offset + byteOffset, byteLength);
  }
}

/**
 * Buffers in size classes, with a free list of those known to be dead. Buffers nobody releases are collected like any
 * object: V8 owns and counts them, so no finalizer is needed and memory stays bounded in synchronous loops.
 */
export class Allocator {
  private readonly _maxCachedBytes: number;
  private readonly _addressOf: ((bytes: ArrayBuffer) => number) | undefined;
  private readonly _reclaimer: Reclaimer | undefined;
  private readonly _free = new Map<number, Block[]>();
  private _cached = 0;
  private _handedOut = 0;
  private _peak = 0;
  private _untilSample = SAMPLE_BYTES;

  constructor({ maxCachedBytes = 1024 * 1024 * 1024, addressOf, deathWatch }: AllocatorOptions = {}) {
    this._reclaimer = deathWatch === undefined ? undefined : new Reclaimer(deathWatch);
    this._maxCachedBytes = maxCachedBytes;
    this._addressOf = addressOf;
  }

  /** Uninitialised memory of at least `byteLength` bytes, a multiple of 16. */
  allocate(byteLength: number): Block {
    const size = sizeClass(byteLength);
    const reclaimer = size < WATCHED_BYTES ? undefined : this._reclaimer;
    if (reclaimer?.isDue(size)) this._reclaim(reclaimer.scavenge());
    let block = this._take(size);
    if (block === undefined && reclaimer !== undefined) {
      this._reclaim(reclaimer.found());
      block = this._take(size);
    }
    this._handedOut += size;
    return block ?? this._make(size);
  }

  /** Says who owns a block that was handed out: when `owner` is found dead, the block is free again. */
  entrust(block: Block, owner: object): void {
    if (block.size >= WATCHED_BYTES) this._reclaimer?.entrust(block, owner);
  }

  /** Gives a block back for reuse; giving one back that is free already does nothing. */
  release(block: Block): void {
    if (block.isFree || sizeClass(block.size) !== block.size) return;
    this._reclaimer?.settle(block);
    this._keep(block);
  }

  /** A backward pass is over. */
  passed(): void {
    this._reclaimer?.passed();
  }

  /** Bytes in use; where the platform does not count, buffers that were collected without a release still count as live. */
  memory(): MemoryUse {
    if (this._reclaimer !== undefined) this._reclaim(this._reclaimer.found());
    const live = this._sample();
    return { live, cached: this._cached, peak: this._peak };
  }

  private _take(size: number): Block | undefined {
    const block = this._free.get(size)?.pop();
    if (block === undefined) return undefined;
    block.isFree = false;
    this._cached -= size;
    return block;
  }

  private _make(size: number): Block {
    this._untilSample -= size;
    if (this._untilSample <= 0) {
      this._untilSample = SAMPLE_BYTES;
      this._sample();
    }
    if (this._addressOf === undefined) return new Block(allocateBytes(size));
    const buffer = allocateBytes(size + LINE_BYTES);
    const address = this._addressOf(buffer);
    const offset = (LINE_BYTES - (address % LINE_BYTES)) % LINE_BYTES;
    return new Block(buffer, size, offset, address + offset);
  }

  /** Takes back what was found dead, except where somebody may still hold the bytes. */
  private _reclaim(blocks: readonly Block[]): void {
    for (const block of blocks) {
      if (block.isShown) this._handedOut -= block.size;
      else this._keep(block);
    }
  }

  private _keep(block: Block): void {
    const { size } = block;
    this._handedOut -= size;
    if (this._cached + size > this._maxCachedBytes || block.byteLength === 0) return; // 0: transferred away
    let list = this._free.get(size);
    if (list === undefined) {
      list = [];
      this._free.set(size, list);
    }
    list.push(block);
    block.isFree = true;
    block.isShown = false;
    this._cached += size;
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
  const last = byteLength - 1;
  const exponent = last < 2 ** 31 ? 31 - Math.clz32(last) : Math.floor(Math.log2(last));
  const step = exponent < 31 ? 1 << (exponent - 2) : 2 ** (exponent - 2);
  return Math.ceil(byteLength / step) * step;
}

import type { Block } from "./allocator.ts";
import type { Backend } from "./backend.ts";
import type { DType, TypedArray } from "./dtype.ts";

/**
 * The memory behind one or more tensors: a V8-owned buffer, so the garbage collector frees it and counts its bytes.
 * Whatever uses the memory holds its storage: when that is gone, the memory may serve another (`reclaimer.ts`).
 * Its length may exceed what was asked for (size classes); bytes beyond are never read.
 */
export class Storage {
  /** How many storages have been made; a storage's serial number tells which of two is older. */
  static count = 0;
  readonly serial: number = Storage.count++;
  readonly backend: Backend;
  readonly block: Block;
  /** Counts in-place changes, so that a changed saved value can be refused. */
  version = 0;
  /** Set by a backend's release, so that giving memory back twice does nothing. */
  released = false;
  /** How many tape entries hold a tensor on this memory for their backward. */
  private _savers = 0;
  private _isAbandoned = false;
  /** The backward pass that holds it, and how often. */
  pass = 0;
  holds = 0;

  constructor(backend: Backend, block: Block) {
    this.backend = backend;
    this.block = block;
  }

  /** The whole memory. Whoever holds it or {@link elements} may do so for good: then it is not used again for others. */
  get bytes(): Uint8Array {
    this.block.isShown = true;
    return this.block.bytes(0, this.block.size);
  }

  /** Bytes of the whole memory; 0 when it was transferred away. */
  get byteLength(): number {
    return this.block.byteLength;
  }

  /** Where the bytes lie in memory, for the native backend; 0 elsewhere. */
  get address(): number {
    return this.block.address;
  }

  /** A tape entry holds it. */
  save(): void {
    this._savers++;
  }

  /** A tape entry lets go of it. */
  unsave(): void {
    this._savers--;
    if (this._isAbandoned && this._savers === 0) this.backend.release(this);
  }

  /**
   * Says that no tensor on this memory will be looked at any more, except by tape entries that hold it already: it goes
   * back as soon as they have let go, without waiting for the garbage collector.
   */
  abandon(): void {
    this._isAbandoned = true;
    if (this._savers === 0) this.backend.release(this);
  }

  /** The whole memory as elements of `dtype` (16-bit floats as their bits). */
  elements(dtype: DType): TypedArray {
    this.block.isShown = true;
    return this.block.elements(dtype);
  }
}

import { Allocator } from "../allocator.ts";
import type { Backend, MemoryUse, RandomKey, RandomKind, ReduceKind, View } from "../backend.ts";
import { bytesPerElement } from "../dtype.ts";
import { input, Kernel } from "../expr.ts";
import type { FastKernels } from "../fast.ts";
import { contiguousStrides, isContiguous, type Shape, sizeOf } from "../shape.ts";
import { Storage } from "../storage.ts";
import { canCompile } from "./compile.ts";
import { storeLane } from "./element.ts";
import { gather, scatterAdd } from "./indexing.ts";
import { argReduce, scan, sort } from "./lanes.ts";
import { map } from "./map.ts";
import { matmul } from "./matmul.ts";
import { NestCache } from "./nestCache.ts";
import { drawChunks } from "./random.ts";
import { reduce } from "./reduce.ts";

/** How a {@link createJsBackend | js backend} works. */
export interface JsBackendOptions {
  /** Whether kernels become JavaScript source. Default: where that is allowed; else they are interpreted, slower. */
  readonly compile?: boolean;
}

const identity = new Kernel([input(0)], 1);

/** Makes the backend in plain TypeScript: the definition that every other backend is tested against. */
export function createJsBackend(options: JsBackendOptions = {}): Backend {
  return new JsBackend(options);
}

class JsBackend implements Backend {
  readonly name: string = "js";
  readonly fast: Partial<FastKernels> = { matmul };
  readonly gather: Backend["gather"] = gather;
  readonly scatterAdd: Backend["scatterAdd"] = scatterAdd;
  readonly argReduce: Backend["argReduce"] = argReduce;
  readonly scan: Backend["scan"] = scan;
  readonly sort: Backend["sort"] = sort;
  private readonly _allocator = new Allocator();
  private readonly _nests: NestCache;

  constructor({ compile = canCompile() }: JsBackendOptions) {
    this._nests = new NestCache(compile);
  }

  allocate(byteLength: number): Storage {
    return new Storage(this, this._allocator.allocate(byteLength));
  }

  release(storage: Storage): void {
    if (storage.released) return;
    storage.released = true;
    this._allocator.release(storage.block);
  }

  passed(): void {
    this._allocator.passed();
  }

  memory(): MemoryUse {
    return this._allocator.memory();
  }

  write(storage: Storage, bytes: Uint8Array, byteOffset: number): void {
    storage.block.bytes(byteOffset, bytes.length).set(bytes);
  }

  async read(storage: Storage, byteOffset: number, byteLength: number): Promise<Uint8Array> {
    return storage.block.bytes(byteOffset, byteLength).slice();
  }

  map(kernel: Kernel, inputs: readonly View[], outputs: readonly View[], scalars: readonly number[]): void {
    map(this._nests, kernel, inputs, outputs, scalars);
  }

  mapEach(
    kernel: Kernel,
    inputs: readonly (readonly View[])[],
    outputs: readonly (readonly View[])[],
    scalars: readonly number[],
  ): void {
    for (let i = 0; i < outputs.length; i++) map(this._nests, kernel, inputs[i], outputs[i], scalars);
  }

  reduce(
    kind: ReduceKind,
    kernel: Kernel,
    inputs: readonly View[],
    shape: Shape,
    out: View,
    scalars: readonly number[],
  ): void {
    reduce(this._nests, kind, kernel, inputs, shape, out, scalars);
  }

  random(kind: RandomKind, key: RandomKey, out: View, low: number, high: number): void {
    const size = sizeOf(out.shape);
    if (!isContiguous(out.shape, out.strides)) {
      const storage = this.allocate(size * bytesPerElement(out.dtype));
      const rows: View = { ...out, storage, strides: contiguousStrides(out.shape), offset: 0 };
      this.random(kind, key, rows, low, high);
      this.map(identity, [rows], [out], []);
      this.release(storage);
      return;
    }
    const data = out.storage.elements(out.dtype);
    drawChunks(kind, key, size, low, high, (values, first) => {
      storeLane(values, data, out.dtype, out.offset + first, 1);
    });
  }
}

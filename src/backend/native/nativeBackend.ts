import { scavenger } from "#platform";
import { Allocator } from "../allocator.ts";
import type { Backend, MemoryUse, RandomKey, RandomKind, ReduceKind, View } from "../backend.ts";
import type { Kernel } from "../expr.ts";
import type { FastKernels } from "../fast.ts";
import type { DeathWatch } from "../reclaimer.ts";
import { isContiguous, type Shape } from "../shape.ts";
import { Storage } from "../storage.ts";
import type { NativeAddon } from "./addon.ts";
import { Descriptor, MAX_RANK, MAX_VIEWS } from "./descriptor.ts";
import { nativeFastKernels } from "./fastKernels.ts";
import { Programs } from "./programs.ts";

const reduceCodes = { sum: 0, prod: 1, max: 2, min: 3 } as const;
const drawCodes = { uniform: 0, normal: 1, integers: 2, bernoulli: 3 } as const;

/** The longest kernel the addon takes, in instructions. */
const MAX_CODE = 4096;

/**
 * Runs on the compiled addon. Both backends work on the same memory, so what is rare (sorting, running sums, more than
 * {@link MAX_RANK} axes, odd mixtures of dtypes) is left to `js`.
 */
export class NativeBackend implements Backend {
  readonly name: string = "native";
  readonly fast: Partial<FastKernels>;
  readonly addon: NativeAddon;
  readonly descriptor: Descriptor;
  private readonly _js: Backend;
  private readonly _programs: Programs;
  private readonly _allocator: Allocator;

  constructor(addon: NativeAddon, js: Backend) {
    this.addon = addon;
    this.descriptor = new Descriptor(addon);
    this._js = js;
    this._allocator = new Allocator({ addressOf: (bytes) => addon.addressOf(bytes), deathWatch: deathWatch(addon) });
    this._programs = new Programs(addon, this.descriptor);
    this.fast = nativeFastKernels(this);
  }

  allocate(byteLength: number): Storage {
    const block = this._allocator.allocate(byteLength);
    const storage = new Storage(this, block);
    this._allocator.entrust(block, storage);
    return storage;
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
    this._js.write(storage, bytes, byteOffset);
  }

  read(storage: Storage, byteOffset: number, byteLength: number): Promise<Uint8Array> {
    return this._js.read(storage, byteOffset, byteLength);
  }

  map(kernel: Kernel, inputs: readonly View[], outputs: readonly View[], scalars: readonly number[]): void {
    if (!takes(kernel, outputs[0].shape)) {
      this._js.map(kernel, inputs, outputs, scalars);
      return;
    }
    const { descriptor } = this;
    this._start(kernel, inputs.length + outputs.length, 1, scalars);
    descriptor.addViews(inputs);
    descriptor.addViews(outputs);
    this.addon.map(inputs, outputs);
  }

  mapEach(
    kernel: Kernel,
    inputs: readonly (readonly View[])[],
    outputs: readonly (readonly View[])[],
    scalars: readonly number[],
  ): void {
    const sets = outputs.length;
    if (sets === 0) return;
    if (!outputs.every((set) => takes(kernel, set[0].shape))) {
      this._js.mapEach(kernel, inputs, outputs, scalars);
      return;
    }
    const { descriptor } = this;
    this._start(kernel, sets * (inputs[0].length + outputs[0].length), sets, scalars);
    for (let i = 0; i < sets; i++) {
      descriptor.addViews(inputs[i]);
      descriptor.addViews(outputs[i]);
    }
    this.addon.map(inputs, outputs);
  }

  reduce(
    kind: ReduceKind,
    kernel: Kernel,
    inputs: readonly View[],
    shape: Shape,
    out: View,
    scalars: readonly number[],
  ): void {
    if (!takes(kernel, shape)) {
      this._js.reduce(kind, kernel, inputs, shape, out, scalars);
      return;
    }
    const { descriptor } = this;
    this._start(kernel, inputs.length + 2, reduceCodes[kind], scalars);
    descriptor.addViews(inputs);
    descriptor.addView(out);
    descriptor.addSizes(shape);
    this.addon.reduce(inputs, out);
  }

  argReduce(kind: "max" | "min", x: View, axis: number, out: View): void {
    if (x.shape.length === 0 || x.shape.length > MAX_RANK) {
      this._js.argReduce(kind, x, axis, out);
      return;
    }
    const { descriptor } = this;
    descriptor.start(2, 2);
    descriptor.add(kind === "max" ? 1 : 0);
    descriptor.add(axis);
    descriptor.addView(x);
    descriptor.addView(out);
    this.addon.argReduce(x, out);
  }

  scan(kind: "sum" | "prod", x: View, axis: number, out: View): void {
    this._js.scan(kind, x, axis, out);
  }

  sort(x: View, axis: number, descending: boolean, values: View, indices: View): void {
    this._js.sort(x, axis, descending, values, indices);
  }

  gather(operation: string, x: View, index: View, axis: number, out: View): void {
    const taken = x.dtype === out.dtype && out.shape.length <= MAX_RANK;
    // Where an index is out of range nothing was copied, and js finds the words for it.
    if (!taken || this._index(this.addon.gather, axis, x, index, out) !== 0) {
      this._js.gather(operation, x, index, axis, out);
    }
  }

  scatterAdd(operation: string, out: View, index: View, axis: number, source: View): void {
    const sums = out.dtype === "float32" || out.dtype === "int32" || out.dtype === "float64";
    const taken = sums && source.dtype === out.dtype && source.shape.length <= MAX_RANK;
    if (!taken || this._index(this.addon.scatterAdd, axis, out, index, source) !== 0) {
      this._js.scatterAdd(operation, out, index, axis, source);
    }
  }

  random(kind: RandomKind, key: RandomKey, out: View, low: number, high: number): void {
    if (out.shape.length > MAX_RANK || !isContiguous(out.shape, out.strides)) {
      this._js.random(kind, key, out, low, high);
      return;
    }
    const { descriptor } = this;
    descriptor.start(6, 1);
    descriptor.addNumbers([drawCodes[kind], key.seed, key.stream, key.counter, low, high]);
    descriptor.addView(out);
    this.addon.random(out);
  }

  /** Writes what map and reduce begin with: program, a number of their own, scalars. */
  private _start(kernel: Kernel, views: number, own: number, scalars: readonly number[]): void {
    const program = this._programs.idOf(kernel);
    this.descriptor.start(2 + MAX_RANK + kernel.scalarCount, views);
    this.descriptor.add(program);
    this.descriptor.add(own);
    for (let i = 0; i < kernel.scalarCount; i++) this.descriptor.add(scalars[i]);
  }

  private _index(run: NativeAddon["gather"], axis: number, indexed: View, index: View, plain: View): number {
    const { descriptor } = this;
    descriptor.start(1, 3);
    descriptor.add(axis);
    descriptor.addView(indexed);
    descriptor.addView(index);
    descriptor.addView(plain);
    return run(indexed, index, plain);
  }
}

function deathWatch(addon: NativeAddon): DeathWatch | undefined {
  const scavenge = scavenger();
  if (scavenge === undefined) return undefined;
  const { watch, unwatch, dead } = addon;
  return { watch, unwatch, dead, scavenge };
}

function takes(kernel: Kernel, shape: Shape): boolean {
  return (
    shape.length <= MAX_RANK &&
    kernel.inputCount <= MAX_VIEWS &&
    kernel.results.length <= MAX_VIEWS &&
    kernel.code.length <= MAX_CODE
  );
}

/** Random views for comparing the native backend with js on the same memory. */
import fc from "fast-check";
import { expect } from "vitest";
import type { Backend, View } from "../../src/backend/backend.ts";
import { bytesPerElement, type DType, isFloatingPoint } from "../../src/backend/dtype.ts";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../../src/backend/js/half.ts";
import { createJsBackend } from "../../src/backend/js/js.ts";
import { loadNativeBackend } from "../../src/backend/native/native.ts";
import { type Shape, sizeOf, stridesInOrder } from "../../src/backend/shape.ts";

const loaded = loadNativeBackend();

/** Why there is no native backend to test, if so. */
export const missing: string | undefined = "reason" in loaded ? loaded.reason : undefined;

/** The oracle. */
export const js: Backend = createJsBackend();

/** The backend under test (js where there is none; such tests are skipped). */
export const native: Backend = "reason" in loaded ? js : loaded;

/** A seeded source of choices. */
export class Choices {
  private _state: number;

  constructor(seed: number) {
    this._state = seed >>> 0;
  }

  /** A number in [0, 1). */
  next(): number {
    this._state = (this._state + 0x6d2b79f5) >>> 0;
    let t = this._state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number from `low` to `high`. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  pick<T>(values: readonly T[]): T {
    return values[this.integer(0, values.length - 1)];
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  order(count: number): number[] {
    const keys = Array.from({ length: count }, () => this.next());
    return [...keys.keys()].sort((a, b) => keys[a] - keys[b]);
  }

  shape(maxRank = 4): number[] {
    const limit = this.pick([3, 7, 40]);
    return Array.from({ length: this.integer(0, maxRank) }, () => this.integer(this.chance(0.03) ? 0 : 1, limit));
  }
}

/** Runs `check` for many seeds; fast-check reports the seed of a failure. */
export function forSeeds(runs: number, check: (choices: Choices) => void): void {
  fc.assert(
    fc.property(fc.nat(), (seed) => check(new Choices(seed))),
    { numRuns: runs, seed: 7 },
  );
}

/** A view of `shape` with gaps, any order of axes, an offset and, now and then, an axis running backwards. */
export function randomView(choices: Choices, shape: Shape, dtype: DType, value: () => number): View {
  const gaps = shape.map(() => (choices.chance(0.2) ? 2 : 1));
  const room = shape.map((size, i) => size * gaps[i]);
  const strides = stridesInOrder(room, choices.order(shape.length)).map((stride, i) => stride * gaps[i]);
  let offset = choices.integer(0, 5);
  shape.forEach((size, i) => {
    if (size > 1 && choices.chance(0.1)) {
      offset += (size - 1) * strides[i];
      strides[i] = -strides[i];
    }
  });
  return filled({ shape, strides, offset, dtype }, sizeOf(room) + 6, value);
}

/** A view that broadcasts to `shape`: axes dropped at the left, of size 1, or of stride 0. */
export function broadcastView(choices: Choices, shape: Shape, dtype: DType, value: () => number): View {
  const lead = choices.chance(0.3) ? choices.integer(0, shape.length) : 0;
  const own = shape.slice(lead).map((size) => (choices.chance(0.25) ? 1 : size));
  const view = randomView(choices, own, dtype, value);
  const stretched = own.map((size, i) => (size === 1 && choices.chance(0.5) ? shape[lead + i] : size));
  return { ...view, shape: stretched, strides: view.strides.map((s, i) => (own[i] === stretched[i] ? s : 0)) };
}

/** A view without gaps, in any order of axes, as outputs are. */
export function denseView(choices: Choices, shape: Shape, dtype: DType, value: () => number): View {
  const inOrder = choices.chance(0.5);
  const order = inOrder ? [...shape.keys()] : choices.order(shape.length);
  const offset = choices.integer(0, 5);
  return filled({ shape, strides: stridesInOrder(shape, order), offset, dtype }, sizeOf(shape) + 6, value);
}

function filled(view: Omit<View, "storage">, elements: number, value: () => number): View {
  const storage = native.allocate(elements * bytesPerElement(view.dtype));
  const data = storage.elements(view.dtype);
  for (let i = 0; i < elements; i++) data[i] = encode(view.dtype, value());
  return { ...view, storage };
}

function encode(dtype: DType, value: number): number {
  if (dtype === "float16") return toFloat16(value);
  if (dtype === "bfloat16") return toBfloat16(value);
  return dtype === "bool" ? Number(value !== 0) : value;
}

/** The same view on a copy of its whole memory. */
export function twin(view: View): View {
  const storage = native.allocate(view.storage.byteLength);
  storage.bytes.set(view.storage.bytes);
  return { ...view, storage };
}

/** All elements of the memory under a view, also those outside it. */
export function memoryOf({ storage, dtype }: View): number[] {
  const raw = Array.from(storage.elements(dtype));
  if (dtype === "float16") return raw.map(fromFloat16);
  return dtype === "bfloat16" ? raw.map(fromBfloat16) : raw;
}

/** Compares whole memories: where floats are allowed to differ, by `tolerance` relative to the value and to `scale`. */
export function expectSame(actual: View, expected: View, tolerance = 0, scale = 0): void {
  const a = memoryOf(actual);
  const e = memoryOf(expected);
  const allowed = isFloatingPoint(actual.dtype) ? Math.max(tolerance, tolerance > 0 ? epsilon(actual.dtype) : 0) : 0;
  for (let i = 0; i < e.length; i++) {
    if (a[i] === e[i] || (Number.isNaN(a[i]) && Number.isNaN(e[i]))) continue;
    if (Math.abs(a[i] - e[i]) <= allowed * (Math.abs(e[i]) + scale) + 1e-37) continue;
    expect.fail(`element ${i} of the memory is ${a[i]}, js says ${e[i]} (${actual.dtype}, shape [${actual.shape}])`);
  }
}

/** {@link expectSame} for lists, to the bit. */
export function expectAllSame(actual: readonly View[], expected: readonly View[]): void {
  for (let i = 0; i < expected.length; i++) expectSame(actual[i], expected[i]);
}

function epsilon(dtype: DType): number {
  if (dtype === "float16") return 2 ** -10;
  return dtype === "bfloat16" ? 2 ** -7 : 0;
}

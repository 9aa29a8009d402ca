import type { Backend } from "../backend/backend.ts";
import { backendByName, defaultBackend } from "../backend/choose.ts";
import { bytesPerElement, checkDType, type DType } from "../backend/dtype.ts";
import { ArgumentError } from "../backend/errors.ts";
import { toBfloat16, toFloat16 } from "../backend/js/half.ts";
import { checkShape, contiguousStrides, type Shape, sizeOf } from "../backend/shape.ts";
import { Tensor } from "./tensor.ts";
import { checkFits, flatten, type TensorData } from "./values.ts";

/** What every function that makes a tensor takes. */
export interface TensorOptions {
  /** Default float32, where nothing else is said. */
  readonly dtype?: DType | undefined;
  /** `"native"` or `"js"`. Default the one chosen at the start; see {@link setDefaultDevice}. */
  readonly device?: string | undefined;
  /** Default false. */
  readonly requiresGrad?: boolean | undefined;
}

let chosen: Backend | undefined;

/** Sets the device new tensors are made on, by name; undefined goes back to the automatic choice. */
export function setDefaultDevice(name: string | undefined): void {
  chosen = name === undefined ? undefined : backendByName(name);
}

/** The device new tensors are made on. */
export function defaultDevice(): string {
  return currentBackend().name;
}

/** Bytes in tensors, bytes kept for reuse, and the highest number of bytes in tensors so far. */
export function memory(): { readonly live: number; readonly cached: number; readonly peak: number } {
  return currentBackend().memory();
}

/**
 * A tensor with given elements.
 *
 * A nested array gives its own shape; a flat array or typed array may be given one. Numbers become float32, booleans bool,
 * typed arrays keep their type (Float64Array becomes float32), unless a dtype is named.
 *
 * @throws {@link ShapeError} when rows differ in length, or `shape` does not fit the number of elements.
 * @example
 * tensor([[1, 2], [3, 4]]).shape; // => [2, 2]
 * tensor([1, 2, 3, 4], { shape: [2, 2], dtype: "int32" }).toArray(); // => [[1, 2], [3, 4]]
 */
export function tensor(data: TensorData, options: TensorOptions & { readonly shape?: Shape | undefined } = {}): Tensor {
  const { shape: own, dtype: natural, values } = flatten(data);
  const result = empty(own, { ...options, dtype: options.dtype ?? natural });
  encode(values, result);
  return options.shape === undefined ? result : reshaped(result, options.shape);
}

/** Memory of a shape with whatever was in it. */
export function empty(shape: Shape, { dtype = "float32", device, requiresGrad = false }: TensorOptions = {}): Tensor {
  if (!Array.isArray(shape)) {
    throw new ArgumentError("empty", `the sizes come as one list, e.g. [2, 3], got ${String(shape)}.`);
  }
  checkShape("empty", shape);
  checkDType("empty", dtype);
  const backend = device === undefined ? currentBackend() : backendByName(device);
  const storage = backend.allocate(sizeOf(shape) * bytesPerElement(dtype));
  const result = new Tensor(storage, [...shape], contiguousStrides(shape), 0, dtype);
  if (requiresGrad) result.requiresGrad = true;
  return result;
}

/** One value everywhere. */
export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor {
  const result = empty(shape, options);
  checkFits("full", result.dtype, value);
  result._fill(value);
  return result;
}

/**
 * Zeros.
 *
 * @example
 * zeros([2, 3]).toArray(); // => [[0, 0, 0], [0, 0, 0]]
 */
export function zeros(shape: Shape, options: TensorOptions = {}): Tensor {
  return full(shape, 0, options);
}

/** Ones. */
export function ones(shape: Shape, options: TensorOptions = {}): Tensor {
  return full(shape, 1, options);
}

/** One value everywhere, with the shape, dtype and device of `like`. */
export function fullLike(like: Tensor, value: number, options: TensorOptions = {}): Tensor {
  return full(like.shape, value, { dtype: like.dtype, device: like.device, ...options });
}

/** Zeros with the shape, dtype and device of `like`. */
export function zerosLike(like: Tensor, options: TensorOptions = {}): Tensor {
  return fullLike(like, 0, options);
}

/** Ones with the shape, dtype and device of `like`. */
export function onesLike(like: Tensor, options: TensorOptions = {}): Tensor {
  return fullLike(like, 1, options);
}

/**
 * Numbers from `start` (default 0) up to, not including, `end`, in steps of `step` (default 1). Whole numbers give int32.
 *
 * @throws {@link ArgumentError} when the step is 0 or leads away from the end.
 * @example
 * arange(3).toArray(); // => [0, 1, 2]
 * arange(1, 2, 0.5).toArray(); // => [1, 1.5]
 */
export function arange(end: number, options?: TensorOptions): Tensor;
export function arange(start: number, end: number, step?: number, options?: TensorOptions): Tensor;
export function arange(first: number, second?: number | TensorOptions, step = 1, last: TensorOptions = {}): Tensor {
  const [start, end] = typeof second === "number" ? [first, second] : [0, first];
  const options = typeof second === "object" ? second : last;
  const count = Math.ceil((end - start) / step);
  if (step === 0 || !(count >= 0 && count <= 2 ** 32)) {
    throw new ArgumentError("arange", `a step of ${step} does not lead from ${start} to ${end} (${count} numbers).`);
  }
  const whole = Number.isInteger(start) && Number.isInteger(step) && Number.isInteger(end);
  const values = Float64Array.from({ length: count }, (_, i) => start + i * step);
  return tensor(values, { dtype: whole ? "int32" : "float32", ...options });
}

/** `count` numbers from `start` to `end`, both included, in equal steps. */
export function linspace(start: number, end: number, count: number, options: TensorOptions = {}): Tensor {
  if (!(Number.isInteger(count) && count >= 0 && count <= 2 ** 32)) {
    throw new ArgumentError("linspace", `the count must be a whole number from 0 to 2^32, got ${count}.`);
  }
  const step = count > 1 ? (end - start) / (count - 1) : 0;
  return tensor(
    Float64Array.from({ length: count }, (_, i) => (i === count - 1 && count > 1 ? end : start + i * step)),
    options,
  );
}

/** A matrix with ones on the diagonal. */
export function eye(rows: number, columns: number = rows, options: TensorOptions = {}): Tensor {
  const result = zeros([rows, columns], options);
  for (let i = 0; i < Math.min(rows, columns); i++) encode([1], result.at(i, i).detach());
  return result;
}

/** The backend behind the default device. */
export function currentBackend(): Backend {
  return chosen ?? defaultBackend();
}

/** Writes JavaScript numbers into a tensor's memory, converted to its dtype. */
function encode(values: ArrayLike<number>, target: Tensor): void {
  const { dtype, offset } = target;
  const elements = target.storage.elements(dtype);
  if (dtype === "float16" || dtype === "bfloat16") {
    const convert = dtype === "float16" ? toFloat16 : toBfloat16;
    for (let i = 0; i < values.length; i++) elements[offset + i] = convert(values[i]);
  } else if (dtype === "bool") {
    for (let i = 0; i < values.length; i++) elements[offset + i] = values[i] !== 0 ? 1 : 0;
  } else {
    const exact = dtype === "int32" ? values instanceof Int32Array : dtype !== "uint8" || values instanceof Uint8Array;
    if (!exact) for (let i = 0; i < values.length; i++) checkFits("tensor", dtype, values[i], ` at position ${i}`);
    elements.set(values, offset);
  }
}

function reshaped(x: Tensor, shape: Shape): Tensor {
  checkShape("tensor", shape);
  const { requiresGrad } = x;
  x.requiresGrad = false;
  const result = x.reshape(shape);
  result.requiresGrad = requiresGrad;
  return result;
}

import type { DType, TypedArray } from "../backend/dtype.ts";
import { bytesPerElement, isFloatingPoint } from "../backend/dtype.ts";
import { DTypeError, GradientError } from "../backend/errors.ts";
import { input, Kernel, scalar } from "../backend/expr.ts";
import { channelsLastStrides, contiguousStrides, isContiguous, isDense, type Shape, sizeOf } from "../backend/shape.ts";
import type { Storage } from "../backend/storage.ts";
import { isGradEnabled } from "./autograd/mode.ts";
import type { GradientHook, GradNode } from "./autograd/node.ts";
import type { Tensor } from "./tensor.ts";

/** Takes a hook off again. */
export interface HookHandle {
  remove(): void;
}

const identity = new Kernel([input(0)], 1);
const fill = new Kernel([scalar(0)], 0, 1);

/**
 * What a tensor is, before anything is computed: a window on a storage, and its place on the tape.
 * Names starting with `_` are for kindling's own layers.
 */
export abstract class TensorBase {
  readonly storage: Storage;
  /** Sizes of the axes; `[]` for a single number. */
  readonly shape: Shape;
  /** Steps in memory along each axis, in elements. */
  readonly strides: readonly number[];
  /** Position of the first element in the storage, in elements. */
  readonly offset: number;
  readonly dtype: DType;
  _node: GradNode | undefined = undefined;
  _outputIndex = 0;
  /** Of a leaf; hooks of other tensors belong to the node that made them. */
  _hooks: GradientHook[] | undefined = undefined;
  _accumulatedHooks: ((leaf: Tensor) => void)[] | undefined = undefined;
  /** The gradient for kindling's own use, which does not count as looking at it. */
  _grad: Tensor | undefined = undefined;
  private _gradSeen = false;
  private _requiresGrad = false;

  constructor(storage: Storage, shape: Shape, strides: readonly number[], offset: number, dtype: DType) {
    this.storage = storage;
    this.shape = shape;
    this.strides = strides;
    this.offset = offset;
    this.dtype = dtype;
  }

  /** A tensor of the same class over given memory: how results are made without naming the class. */
  abstract _wrap(storage: Storage, shape: Shape, strides: readonly number[], offset: number, dtype: DType): Tensor;

  /** The same elements in another device's memory. */
  abstract _toDevice(name: string): Tensor;

  /** The gradient of a leaf, summed over all backward passes since it was last cleared. */
  get grad(): Tensor | undefined {
    this._gradSeen = true;
    return this._grad;
  }

  set grad(value: Tensor | undefined) {
    if (value === undefined) this._clearGrad();
    this._grad = value;
    this._gradSeen = true;
  }

  /** Takes a gradient nobody else holds. */
  _ownGrad(gradient: Tensor): void {
    this._grad = gradient;
    this._gradSeen = false;
  }

  /** Forgets the gradient; one that was never looked at from outside gives its memory back at once. */
  _clearGrad(): void {
    if (this._grad !== undefined && !this._gradSeen) this._grad.storage.backend.release(this._grad.storage);
    this._grad = undefined;
  }

  /** Number of axes. */
  get rank(): number {
    return this.shape.length;
  }

  /** Name of the device that holds the elements: `"native"` or `"js"`. */
  get device(): string {
    return this.storage.backend.name;
  }

  /** Number of elements. */
  numel(): number {
    return sizeOf(this.shape);
  }

  /** Whether operations on this tensor are recorded, so that backward reaches it. Set it on leaves only. */
  get requiresGrad(): boolean {
    return this._requiresGrad;
  }

  set requiresGrad(value: boolean) {
    if (value && !isFloatingPoint(this.dtype)) {
      throw new DTypeError("requiresGrad", `only floating-point tensors have gradients, not ${this.dtype}.`);
    }
    if (!value && this._node !== undefined) {
      throw new GradientError("requiresGrad", "this tensor is the result of a recorded operation; use detach().");
    }
    this._requiresGrad = value;
  }

  /** Whether this tensor was made by the user, not by a recorded operation. */
  get isLeaf(): boolean {
    return this._node === undefined;
  }

  /** Whether the elements lie in row-major order without gaps; or, for images, in channels-last order. */
  isContiguous(options: { memoryFormat?: MemoryFormat } = {}): boolean {
    if (options.memoryFormat === "channelsLast") {
      const wanted = channelsLastStrides(this.shape);
      return this.rank > 2 && this.strides.every((s, i) => s === wanted[i] || this.shape[i] === 1);
    }
    return isContiguous(this.shape, this.strides);
  }

  /**
   * Calls `hook` with the gradient of this tensor whenever one is computed; a tensor it returns replaces the gradient.
   *
   * @throws {@link GradientError} when the tensor does not require a gradient.
   * @see PyTorch: `Tensor.register_hook`.
   */
  registerHook(hook: GradientHook): HookHandle {
    if (!this.requiresGrad) throw new GradientError("registerHook", "the tensor does not require a gradient.");
    if (this._node === undefined) {
      this._hooks ??= [];
      return addTo(this._hooks, hook);
    }
    this._node.hooks ??= new Map();
    const list = this._node.hooks.get(this._outputIndex) ?? [];
    this._node.hooks.set(this._outputIndex, list);
    return addTo(list, hook);
  }

  /**
   * Calls `hook` with this leaf each time backward has added to its `.grad`.
   *
   * @see PyTorch: `Tensor.register_post_accumulate_grad_hook`.
   */
  registerPostAccumulateGradHook(hook: (leaf: Tensor) => void): HookHandle {
    if (!this.requiresGrad || this._node !== undefined) {
      throw new GradientError(
        "registerPostAccumulateGradHook",
        "only a leaf that requires a gradient accumulates one.",
      );
    }
    this._accumulatedHooks ??= [];
    return addTo(this._accumulatedHooks, hook);
  }

  /** Puts this tensor on the tape as output `index` of `node`. */
  _record(node: GradNode, index: number): void {
    this._node = node;
    this._outputIndex = index;
    this._requiresGrad = true;
  }

  /** Takes over another tensor's memory, keeping its own identity: how a parameter moves to another device. */
  _become({ storage, shape, strides, offset, dtype }: TensorBase): void {
    Object.assign(this, { storage, shape, strides, offset, dtype });
    this.grad = undefined;
  }

  /** Uninitialised memory on this tensor's device. */
  _empty(shape: Shape, dtype: DType, strides: readonly number[] = contiguousStrides(shape)): Tensor {
    const storage = this.storage.backend.allocate(sizeOf(shape) * bytesPerElement(dtype));
    return this._wrap(storage, shape, strides, 0, dtype);
  }

  /** A new tensor of this one's shape with one value everywhere. */
  _filled(value: number): Tensor {
    const result = this._empty(this.shape, this.dtype);
    result._fill(value);
    return result;
  }

  /** `0, 1, … n−1` as int32 on this tensor's device. */
  _range(n: number): Tensor {
    const result = this._empty([n], "int32");
    const elements = result.storage.elements("int32");
    for (let i = 0; i < n; i++) elements[i] = i;
    return result;
  }

  /** A copy with the layout and dtype of `like`. */
  _copyLike(like: Tensor): Tensor {
    const strides = isDense(like.shape, like.strides) ? like.strides : contiguousStrides(like.shape);
    const result = this._empty(this.shape, like.dtype, strides);
    this.storage.backend.map(identity, [this], [result], []);
    return result;
  }

  /** Writes one value everywhere, unrecorded and unchecked. */
  _fill(value: number): void {
    this.storage.backend.map(fill, [], [this], [value]);
  }

  /** Writes `source`, broadcast, over this tensor, unrecorded and unchecked. */
  _write(source: TensorBase): void {
    this.storage.backend.map(identity, [source], [this], []);
  }

  /** Refuses in-place changes the tape could not follow. */
  _checkInPlace(operation: string): void {
    if (this.requiresGrad && isGradEnabled()) {
      throw new GradientError(
        `${operation}_`,
        "a tensor that requires a gradient cannot be changed in place while recording. Use noGrad(() => …), or the version that returns a new tensor.",
      );
    }
    if (this.numel() > 1 && this.strides.some((stride, i) => stride === 0 && this.shape[i] > 1)) {
      throw new GradientError(
        `${operation}_`,
        `the tensor [${this.shape}] is stretched by expand(); clone() it first.`,
      );
    }
  }

  /** The elements in row-major order, as they are stored. */
  _rawElements(): TypedArray {
    const dense = isContiguous(this.shape, this.strides) ? this : this._copyLike(this._wrapContiguous());
    const count = this.numel();
    return dense.storage.elements(this.dtype).slice(dense.offset, dense.offset + count);
  }

  private _wrapContiguous(): Tensor {
    return this._wrap(this.storage, this.shape, contiguousStrides(this.shape), 0, this.dtype);
  }
}

/** How an image batch lies in memory: `[n, c, h, w]` or `[n, h, w, c]` order. */
export type MemoryFormat = "contiguous" | "channelsLast";

function addTo<T>(list: T[], item: T): HookHandle {
  list.push(item);
  return {
    remove: () => {
      const position = list.indexOf(item);
      if (position >= 0) list.splice(position, 1);
    },
  };
}

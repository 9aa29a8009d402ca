import type { DType } from "../../backend/dtype.ts";
import { checkDType, dtypes, promoteTypes } from "../../backend/dtype.ts";
import { ArgumentError, IndexError, ShapeError } from "../../backend/errors.ts";
import {
  channelsLastStrides,
  contiguousStrides,
  isContiguous,
  mapSizes,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  sameShape,
} from "../../backend/shape.ts";
import { apply, applyView } from "../apply.ts";
import type { MemoryFormat } from "../base.ts";
import {
  catOp,
  checkOrder,
  copyOp,
  expandedShape,
  expandOp,
  inferShape,
  padOp,
  permuteOp,
  sliceBounds,
  sliceOp,
  viewOp,
  viewStrides,
} from "../ops/movement.ts";
import type { Tensor } from "../tensor.ts";
import { ReduceMethods } from "./reduce.ts";

/** Methods that change how elements are arranged; all but those that say "copy" share memory with their input where they can. */
export abstract class MovementMethods extends ReduceMethods {
  /**
   * The same elements in row-major order under another shape; one size may be -1. Copies only where strides demand it.
   *
   * @throws {@link ShapeError} when the number of elements differs.
   * @example
   * arange(6).reshape([2, -1]).shape; // => [2, 3]
   */
  reshape(this: Tensor, sizes: Shape): Tensor {
    const shape = inferShape("reshape", this, sizes);
    if (sameShape(shape, this.shape)) return this;
    const strides = viewStrides(this, shape);
    if (strides !== undefined) return applyView(viewOp, this, { shape, strides });
    return applyView(viewOp, this.contiguous(), { shape, strides: contiguousStrides(shape) });
  }

  /** As reshape, but never copies. @throws {@link ShapeError} where a copy would be needed. */
  view(this: Tensor, sizes: Shape): Tensor {
    const shape = inferShape("view", this, sizes);
    const strides = viewStrides(this, shape);
    if (strides === undefined) {
      throw new ShapeError(
        "view",
        `[${this.shape}] with strides [${this.strides}] cannot be seen as [${shape}] without a copy; use reshape().`,
      );
    }
    return applyView(viewOp, this, { shape, strides });
  }

  /** Axes `start … end` (both included) joined to one. Default all. */
  flatten(this: Tensor, start = 0, end = -1): Tensor {
    if (this.rank === 0) return this.reshape([1]);
    const [a, b] = [normalizeAxis("flatten", start, this.rank), normalizeAxis("flatten", end, this.rank)];
    if (a > b) throw new ArgumentError("flatten", `start ${start} lies behind end ${end}.`);
    const joined = this.shape.slice(a, b + 1).reduce((product, size) => product * size, 1);
    return this.reshape([...this.shape.slice(0, a), joined, ...this.shape.slice(b + 1)]);
  }

  /** Axis `axis` split into `sizes`, one of which may be -1. */
  unflatten(this: Tensor, axis: number, sizes: Shape): Tensor {
    const one = normalizeAxis("unflatten", axis, this.rank);
    const known = sizes.reduce((product, size) => (size === -1 ? product : product * size), 1);
    const filled = mapSizes(sizes, (size) => (size === -1 ? this.shape[one] / known : size));
    return this.reshape([...this.shape.slice(0, one), ...filled, ...this.shape.slice(one + 1)]);
  }

  /** Axes in another order. */
  permute(this: Tensor, order: readonly number[]): Tensor {
    const normal = order.map((axis) => normalizeAxis("permute", axis, this.rank));
    checkOrder(normal, this.rank);
    return applyView(permuteOp, this, { order: normal });
  }

  /** Two axes exchanged. */
  transpose(this: Tensor, a: number, b: number): Tensor {
    const order = [...this.shape.keys()];
    const [i, j] = [normalizeAxis("transpose", a, this.rank), normalizeAxis("transpose", b, this.rank)];
    if (this.rank === 0) return this;
    [order[i], order[j]] = [j, i];
    return applyView(permuteOp, this, { order });
  }

  /** A matrix with rows and columns exchanged. @throws {@link ShapeError} for more than two axes. */
  t(this: Tensor): Tensor {
    if (this.rank > 2) throw new ShapeError("t", `takes at most two axes, got [${this.shape}]; use transpose().`);
    return this.rank < 2 ? this : this.transpose(0, 1);
  }

  /** Without axes of size 1: all of them, or those named. */
  squeeze(this: Tensor, axes?: number | readonly number[]): Tensor {
    const named = normalizeAxes("squeeze", axes, this.rank);
    const keep = [...this.shape.keys()].filter((i) => !(named.includes(i) && this.shape[i] === 1));
    if (keep.length === this.rank) return this;
    return applyView(viewOp, this, {
      shape: keep.map((i) => this.shape[i]),
      strides: keep.map((i) => this.strides[i]),
    });
  }

  /** With a new axis of size 1 at `axis`. */
  unsqueeze(this: Tensor, axis: number): Tensor {
    const one = normalizeAxis("unsqueeze", axis, this.rank + 1);
    return applyView(viewOp, this, {
      shape: [...this.shape.slice(0, one), 1, ...this.shape.slice(one)],
      strides: [...this.strides.slice(0, one), 1, ...this.strides.slice(one)],
    });
  }

  /** Axes of size 1 stretched to `sizes` without a copy; -1 keeps a size; new axes come first. */
  expand(this: Tensor, sizes: Shape): Tensor {
    const shape = expandedShape(this, sizes);
    return shape === this.shape ? this : applyView(expandOp, this, { shape });
  }

  /** A copy repeated `times[i]` times along each axis. */
  repeat(this: Tensor, times: readonly number[]): Tensor {
    if (times.length < this.rank || times.some((n) => !Number.isInteger(n) || n < 0)) {
      throw new ArgumentError(
        "repeat",
        `[${times}] must name a whole number from 0 for each of the ${this.rank} axes.`,
      );
    }
    const shape = [...new Array<number>(times.length - this.rank).fill(1), ...this.shape];
    const pairs = shape.flatMap((size) => [1, size]); // [a, b] → [1, a, 1, b]
    const stretched = shape.flatMap((size, i) => [times[i], size]); // → [n, a, m, b]
    return this.reshape(pairs)
      .expand(stretched)
      .reshape(mapSizes(shape, (size, i) => size * times[i]));
  }

  /**
   * Positions `start … end − 1` of an axis, every `step`-th; negative ones count from the end.
   *
   * @example
   * arange(6).slice(0, 1, -1, 2).toArray(); // => [1, 3]
   */
  slice(this: Tensor, axis: number, start = 0, end: number = Number.POSITIVE_INFINITY, step = 1): Tensor {
    const one = normalizeAxis("slice", axis, this.rank);
    if (this.rank === 0) throw new IndexError("slice", "a single number has no axis to slice.");
    const bounds = sliceBounds(this.shape[one], start, end, step);
    if (bounds.start === 0 && bounds.length === this.shape[one] && step === 1) return this;
    return applyView(sliceOp, this, { axis: one, ...bounds, step });
  }

  /** One position of an axis, which goes away. @throws {@link IndexError} out of range. */
  select(this: Tensor, axis: number, index: number): Tensor {
    const one = normalizeAxis("select", axis, this.rank);
    const size = this.shape[one];
    if (this.rank === 0 || !Number.isInteger(index) || index < -size || index >= size) {
      throw new IndexError("select", `index ${index} is out of range for axis ${axis} of [${this.shape}].`);
    }
    const start = index < 0 ? index + size : index;
    return applyView(sliceOp, this, { axis: one, start, length: 1, step: 1 }).squeeze(one);
  }

  /** The part at given positions of the first axes: `x.at(i, j)` is x[i][j]. */
  at(this: Tensor, ...indices: readonly number[]): Tensor {
    return indices.reduce<Tensor>((x, index) => x.select(0, index), this);
  }

  /** Pieces along an axis: of one size (the last may be smaller), or of the sizes listed. */
  split(this: Tensor, sizes: number | readonly number[], axis = 0): Tensor[] {
    const one = normalizeAxis("split", axis, this.rank);
    if (this.rank === 0) throw new IndexError("split", "a single number has no axis to split.");
    const total = this.shape[one];
    if (typeof sizes === "number" && !(Number.isInteger(sizes) && sizes > 0)) {
      throw new ArgumentError("split", `the size must be a whole number from 1, got ${sizes}.`);
    }
    const list =
      typeof sizes === "number"
        ? Array.from({ length: Math.max(1, Math.ceil(total / sizes)) }, (_, i) => Math.min(sizes, total - i * sizes))
        : sizes;
    const sum = list.reduce((a, b) => a + b, 0);
    if (list.some((length) => !Number.isInteger(length) || length < 0)) {
      throw new ArgumentError("split", `sizes must be whole numbers from 0, got [${list}].`);
    }
    if (sum !== total)
      throw new ShapeError(
        "split",
        `sizes [${list}] do not add up to axis ${axis} of [${this.shape}] (${sum} ≠ ${total}).`,
      );
    let start = 0;
    return list.map((length) => {
      start += length;
      return applyView(sliceOp, this, { axis: one, start: start - length, length, step: 1 });
    });
  }

  /** At most `count` pieces of equal size along an axis; the last may be smaller. */
  chunk(this: Tensor, count: number, axis = 0): Tensor[] {
    if (!(Number.isInteger(count) && count > 0)) {
      throw new ArgumentError("chunk", `the number of pieces must be a whole number from 1, got ${count}.`);
    }
    const one = normalizeAxis("chunk", axis, this.rank);
    if (this.rank === 0) throw new IndexError("chunk", "a single number has no axis to split.");
    return this.split(Math.max(1, Math.ceil(this.shape[one] / count)), one);
  }

  /** This tensor and others one after another along an axis (a copy); of several dtypes the wider. */
  cat(this: Tensor, others: readonly Tensor[], axis = 0): Tensor {
    const one = normalizeAxis("cat", axis, this.rank);
    const dtype = others.reduce((joined, x) => promoteTypes(joined, x.dtype), this.dtype);
    const parts = [this, ...others].map((x) => (x.dtype === dtype ? x : x.to(dtype)));
    return apply(catOp, parts, { axis: one });
  }

  /** A copy in reversed order along axes. Default all. */
  flip(this: Tensor, axes?: number | readonly number[]): Tensor {
    const list = normalizeAxes("flip", axes, this.rank);
    if (list.length === 0) return this.clone();
    return list.reduce<Tensor>((x, axis) => {
      const order = x._range(x.shape[axis]);
      order.storage.elements("int32").subarray(0, x.shape[axis]).reverse();
      return x.indexSelect(axis, order);
    }, this);
  }

  /**
   * A copy shifted along an axis, or along several at once; what leaves at the end comes in at the start.
   *
   * @param axis - One axis per shift. Default: all elements are shifted as one long row.
   * @example
   * tensor([1, 2, 3]).roll(1).toArray(); // => [3, 1, 2]
   */
  roll(this: Tensor, shift: number | readonly number[], axis?: number | readonly number[]): Tensor {
    const shifts = typeof shift === "number" ? [shift] : shift;
    if (axis === undefined && shifts.length === 1) return rolled(this.flatten(), shifts[0], 0).reshape(this.shape);
    const axes = axis === undefined ? [] : typeof axis === "number" ? [axis] : axis;
    if (axes.length !== shifts.length || axes.length === 0) {
      throw new ArgumentError("roll", `needs one axis per shift, got shifts [${shifts}] and axes [${axes}].`);
    }
    return axes.reduce((x, one, i) => rolled(x, shifts[i], normalizeAxis("roll", one, this.rank)), this);
  }

  /**
   * A copy with a border of `value`: sizes in PyTorch's order, from the last axis: `[left, right, top, bottom, …]`.
   * Negative sizes cut off.
   *
   * @param value - Default 0.
   */
  pad(this: Tensor, sizes: readonly number[], value = 0): Tensor {
    if (sizes.length % 2 !== 0 || sizes.length / 2 > this.rank || !sizes.every(Number.isInteger)) {
      throw new ArgumentError("pad", `[${sizes}] must be pairs of whole numbers, for at most ${this.rank} axes.`);
    }
    const side = (which: number): number[] =>
      mapSizes(this.shape, (_, axis) => sizes[2 * (this.rank - 1 - axis) + which] ?? 0);
    const [before, after] = [side(0), side(1)];
    if (this.shape.some((size, i) => size + before[i] + after[i] < 0)) {
      throw new ShapeError("pad", `[${sizes}] cuts off more than there is of [${this.shape}].`);
    }
    const add = (n: number): number => Math.max(0, n);
    const padded = apply(padOp, [this], { before: before.map(add), after: after.map(add), value });
    return padded.shape.reduce<Tensor>((x, size, i) => x.slice(i, add(-before[i]), size - add(-after[i])), padded);
  }

  /** A matrix (or batch of them) with what lies above diagonal k set to 0. */
  tril(this: Tensor, k = 0): Tensor {
    return triangle("tril", this, k, (row, column) => column.sub(row).le(k));
  }

  /** A matrix (or batch of them) with what lies below diagonal k set to 0. */
  triu(this: Tensor, k = 0): Tensor {
    return triangle("triu", this, k, (row, column) => column.sub(row).ge(k));
  }

  /** A row-major (or channels-last) copy, or this tensor where it already is one. */
  contiguous(this: Tensor, { memoryFormat = "contiguous" }: { memoryFormat?: MemoryFormat } = {}): Tensor {
    if (memoryFormat === "channelsLast" && this.rank < 3) {
      throw new ShapeError("contiguous", `channels-last needs [n, c, …] with at least 3 axes, got [${this.shape}].`);
    }
    if (this.isContiguous({ memoryFormat })) return this;
    const strides = memoryFormat === "channelsLast" ? channelsLastStrides(this.shape) : undefined;
    return apply(copyOp, [this], { strides, dtype: this.dtype });
  }

  /** A copy that shares nothing. */
  clone(this: Tensor): Tensor {
    const strides = isContiguous(this.shape, this.strides) ? undefined : denseStrides(this);
    return apply(copyOp, [this], { strides, dtype: this.dtype });
  }

  /** Another dtype, or another device; this tensor where nothing changes. */
  to(this: Tensor, target: DType | (string & {})): Tensor {
    if (target === this.dtype || target === this.device) return this;
    if (!Object.hasOwn(dtypes, target)) return this._toDevice(target);
    checkDType("to", target);
    return apply(copyOp, [this], { strides: denseStrides(this), dtype: target });
  }

  /** The same memory, off the tape. */
  detach(this: Tensor): Tensor {
    return this._wrap(this.storage, this.shape, this.strides, this.offset, this.dtype);
  }
}

function denseStrides(x: Tensor): readonly number[] | undefined {
  return x.isContiguous({ memoryFormat: "channelsLast" }) ? channelsLastStrides(x.shape) : undefined;
}

function triangle(name: string, x: Tensor, k: number, keep: (row: Tensor, column: Tensor) => Tensor): Tensor {
  if (x.rank < 2) throw new ShapeError(name, `needs at least two axes, got [${x.shape}].`);
  if (!Number.isInteger(k)) throw new ArgumentError(name, `the diagonal must be a whole number, got ${k}.`);
  const [rows, columns] = x.shape.slice(-2);
  return x.where(keep(x._range(rows).unsqueeze(1), x._range(columns)), 0).to(x.dtype);
}

function rolled(x: Tensor, shift: number, axis: number): Tensor {
  if (!Number.isInteger(shift)) throw new ArgumentError("roll", `the shift must be a whole number, got ${shift}.`);
  const size = x.shape[axis] ?? 1;
  const cut = size === 0 ? 0 : ((-shift % size) + size) % size;
  return cut === 0 ? x.clone() : x.slice(axis, cut).cat([x.slice(axis, 0, cut)], axis);
}

import type { DType } from "../../backend/dtype.ts";
import { ArgumentError, IndexError, ShapeError } from "../../backend/errors.ts";
import { input, Kernel } from "../../backend/expr.ts";
import { broadcastStrides, contiguousStrides, mapSizes, type Shape, sameShape } from "../../backend/shape.ts";
import { apply, applyView } from "../apply.ts";
import type { Tensor } from "../tensor.ts";
import type { Op, ViewOp } from "./op.ts";

const identity = new Kernel([input(0)], 1);

/** The same elements under another shape, where strides allow it. */
export const viewOp: ViewOp<{ shape: Shape; strides: readonly number[] }> = {
  name: "view",
  view: (x, { shape, strides }) => ({ shape, strides, offset: x.offset }),
  backward: (gradient, inputShape) => gradient.reshape(inputShape),
};

export const permuteOp: ViewOp<{ order: readonly number[] }> = {
  name: "permute",
  view: (x, { order }) => ({
    shape: mapSizes(order, (axis) => x.shape[axis]),
    strides: mapSizes(order, (axis) => x.strides[axis]),
    offset: x.offset,
  }),
  backward(gradient, _, { order }) {
    const inverse = order.slice();
    order.forEach((axis, i) => {
      inverse[axis] = i;
    });
    return gradient.permute(inverse);
  },
};

export const expandOp: ViewOp<{ shape: Shape }> = {
  name: "expand",
  view: (x, { shape }) => ({ shape, strides: broadcastStrides(x.shape, x.strides, shape), offset: x.offset }),
  backward: (gradient, inputShape) => gradient.sumTo(inputShape),
};

export const sliceOp: ViewOp<{ axis: number; start: number; length: number; step: number }> = {
  name: "slice",
  view: (x, { axis, start, length, step }) => ({
    shape: mapSizes(x.shape, (size, i) => (i === axis ? length : size)),
    strides: mapSizes(x.strides, (stride, i) => (i === axis ? stride * step : stride)),
    offset: length === 0 ? x.offset : x.offset + start * x.strides[axis],
  }),
  backward: (gradient, inputShape, { axis, start, length, step }) =>
    apply(unsliceOp, [gradient], { inputShape, axis, start, length, step }),
};

/** Zeros with the input put where it was sliced from. */
const unsliceOp: Op<{ inputShape: Shape; axis: number; start: number; length: number; step: number }> = {
  name: "slice backward",
  saves: "nothing",
  infer: ([x], { inputShape }) => [{ shape: inputShape, dtype: x.dtype }],
  forward(backend, [x], [out], options) {
    out._fill(0);
    const { shape, strides, offset } = sliceOp.view(out, options);
    backend.map(identity, [x], [out._wrap(out.storage, shape, strides, offset, out.dtype)], []);
  },
  backward: ({ gradient, options: { axis, start, length, step } }) => [
    applyView(sliceOp, gradient, { axis, start, length, step }),
  ],
};

/** A copy with chosen strides and dtype; also what moves data between memory formats. */
export const copyOp: Op<{ strides: readonly number[] | undefined; dtype: DType }> = {
  name: "copy",
  saves: "nothing",
  infer: ([x], { strides, dtype }) => [{ shape: x.shape, dtype, strides }],
  forward(backend, inputs, outputs) {
    backend.map(identity, inputs, outputs, []);
  },
  backward: ({ gradient, inputSpecs: [spec] }) => [gradient.to(spec.dtype)],
};

/** Tensors one after another along an axis. */
export const catOp: Op<{ axis: number }> = {
  name: "cat",
  saves: "nothing",
  infer(inputs, { axis }) {
    const [first] = inputs;
    if (first.rank === 0) throw new ShapeError("cat", "single numbers have no axis to stand along; use stack().");
    for (const x of inputs) {
      if (x.rank !== first.rank || x.shape.some((size, i) => i !== axis && size !== first.shape[i])) {
        throw new ShapeError(
          "cat",
          `[${first.shape}] and [${x.shape}] do not fit along axis ${axis}; all other sizes must be equal.`,
        );
      }
    }
    const total = inputs.reduce((sum, x) => sum + x.shape[axis], 0);
    return [{ shape: mapSizes(first.shape, (size, i) => (i === axis ? total : size)), dtype: first.dtype }];
  },
  forward(backend, inputs, [out], { axis }) {
    let start = 0;
    for (const x of inputs) {
      const { shape, strides, offset } = sliceOp.view(out, { axis, start, length: x.shape[axis], step: 1 });
      backend.map(identity, [x], [out._wrap(out.storage, shape, strides, offset, out.dtype)], []);
      start += x.shape[axis];
    }
  },
  backward({ gradient, inputSpecs, options: { axis }, needs }) {
    let start = 0;
    return inputSpecs.map(({ shape }, i) => {
      const length = shape[axis];
      const part = needs[i] ? applyView(sliceOp, gradient, { axis, start, length, step: 1 }) : undefined;
      start += length;
      return part;
    });
  },
};

/** A border of one value around the last axes. */
export const padOp: Op<{ before: readonly number[]; after: readonly number[]; value: number }> = {
  name: "pad",
  saves: "nothing",
  infer: ([x], { before, after }) => [
    { shape: mapSizes(x.shape, (size, i) => size + before[i] + after[i]), dtype: x.dtype },
  ],
  forward(backend, [x], [out], { before, value }) {
    out._fill(value);
    const offset = out.strides.reduce((sum, stride, i) => sum + stride * before[i], 0);
    backend.map(identity, [x], [out._wrap(out.storage, x.shape, out.strides, offset, out.dtype)], []);
  },
  backward({ gradient, inputSpecs: [{ shape }], options: { before } }) {
    return [shape.reduce((g, size, axis) => g.slice(axis, before[axis], before[axis] + size), gradient)];
  },
};

/** A size list in which one -1 is worked out from the rest. */
export function inferShape(operation: string, x: Tensor, sizes: Shape): Shape {
  const known = sizes.reduce((product, size) => (size === -1 ? product : product * size), 1);
  const holes = sizes.filter((size) => size === -1).length;
  const wrong = sizes.some((size) => !Number.isInteger(size) || size < -1);
  const count = x.numel();
  const filled = holes === 1 && known > 0 && count % known === 0;
  if (wrong || holes > 1 || (holes === 1 ? !filled : known !== count)) {
    throw new ShapeError(operation, `[${x.shape}] (${count} elements) cannot become [${sizes}] (${known} elements).`);
  }
  return holes === 0 ? sizes : mapSizes(sizes, (size) => (size === -1 ? count / known : size));
}

/** Strides under which `shape` reads the elements of x in the same order without a copy, if there are any. */
export function viewStrides(x: Tensor, shape: Shape): number[] | undefined {
  if (x.isContiguous() || x.numel() === 0) return contiguousStrides(shape);
  // Walk both shapes from the right in blocks of equal size; inside a block the old strides must be row-major.
  const strides = shape.slice();
  let [i, j] = [x.rank - 1, shape.length - 1];
  while (i >= 0 || j >= 0) {
    if (j >= 0 && shape[j] === 1) {
      strides[j--] = 1;
      continue;
    }
    if (i >= 0 && x.shape[i] === 1) {
      i--;
      continue;
    }
    let [oldSize, newSize] = [x.shape[i], shape[j]];
    const last = x.strides[i];
    let stride = last;
    strides[j] = stride;
    while (oldSize !== newSize) {
      if (newSize < oldSize) {
        stride *= shape[j--];
        while (shape[j] === 1) strides[j--] = stride;
        strides[j] = stride;
        newSize *= shape[j];
      } else {
        while (x.shape[i - 1] === 1) i--;
        if (x.strides[i - 1] !== x.strides[i] * x.shape[i]) return undefined;
        i--;
        oldSize *= x.shape[i];
      }
    }
    i--;
    j--;
  }
  return strides;
}

/** Start and length of a Python-style slice: negative positions count from the end, both ends are clipped. */
export function sliceBounds(size: number, start: number, end: number, step: number): { start: number; length: number } {
  if (!Number.isInteger(step) || step < 1) {
    throw new ArgumentError("slice", `step must be a whole number from 1, got ${step}. Use flip() to go backwards.`);
  }
  if (!Number.isInteger(start) || !(Number.isInteger(end) || end === Number.POSITIVE_INFINITY)) {
    throw new IndexError("slice", `positions must be whole numbers, got ${start} to ${end}.`);
  }
  const clip = (position: number): number => Math.min(Math.max(position < 0 ? position + size : position, 0), size);
  const from = clip(start);
  return { start: from, length: Math.max(0, Math.ceil((clip(end) - from) / step)) };
}

/** The shape `expand` leads to; -1 keeps a size. */
export function expandedShape(x: Tensor, sizes: Shape): Shape {
  const lead = sizes.length - x.rank;
  const shape = mapSizes(sizes, (size, i) => (size === -1 && i >= lead ? x.shape[i - lead] : size));
  const fits = lead >= 0 && x.shape.every((size, i) => size === shape[i + lead] || size === 1);
  if (!fits || shape.some((size) => !Number.isInteger(size) || size < 0)) {
    throw new ShapeError("expand", `[${x.shape}] cannot be stretched to [${sizes}]; only axes of size 1 stretch.`);
  }
  return sameShape(shape, x.shape) ? x.shape : shape;
}

/** Checks that `order` names every axis once. */
export function checkOrder(order: readonly number[], rank: number): void {
  const seen = new Set(order);
  if (order.length !== rank || seen.size !== rank || order.some((axis) => !(axis >= 0 && axis < rank))) {
    throw new ArgumentError("permute", `[${order}] does not name each of the ${rank} axes once.`);
  }
}

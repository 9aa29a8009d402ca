import { DTypeError, IndexError, ShapeError } from "../../backend/errors.ts";
import { input, Kernel } from "../../backend/expr.ts";
import { mapSizes, type Shape, sameShape } from "../../backend/shape.ts";
import { apply } from "../apply.ts";
import type { Tensor } from "../tensor.ts";
import type { Op } from "./op.ts";

const identity = new Kernel([input(0)], 1);

/** `out[…, i, …] = x[…, index[…, i, …], …]`. Inputs: x, index. */
export const gatherOp: Op<{ name: string; axis: number }> = {
  name: "gather",
  saves: "inputs",
  infer([x, index], { name, axis }) {
    requireIndex(name, index);
    requireAlike(name, x.shape, index.shape, axis);
    return [{ shape: index.shape, dtype: x.dtype }];
  },
  forward(backend, [x, index], [out], { name, axis }) {
    backend.gather(name, crop(x, index.shape, axis), index, axis, out);
  },
  backward({ gradient, inputs: [, index], inputSpecs: [{ shape }], options: { name, axis }, needs }) {
    return needs[0] ? [apply(scatterIntoZerosOp, [gradient, index], { name, axis, shape })] : [undefined];
  },
};

/** Zeros to which the source is added at the index. Inputs: source, index. */
export const scatterIntoZerosOp: Op<{ name: string; axis: number; shape: Shape }> = {
  name: "scatterAdd",
  saves: "inputs",
  infer: ([source], { shape }) => [{ shape, dtype: source.dtype }],
  forward(backend, [source, index], [out], { name, axis }) {
    out._fill(0);
    backend.scatterAdd(name, crop(out, index.shape, axis), index, axis, source);
  },
  backward: ({ gradient, inputs: [, index], options: { name, axis } }) => [
    apply(gatherOp, [gradient, index], { name, axis }),
    undefined,
  ],
};

/** x with the source added at the index. Inputs: x, index, source. */
export const scatterAddOp: Op<{ axis: number }> = {
  name: "scatterAdd",
  saves: "inputs",
  infer([x, index, source], { axis }) {
    requireIndex("scatterAdd", index);
    requireAlike("scatterAdd", x.shape, index.shape, axis);
    if (!sameShape(index.shape, source.shape)) {
      throw new ShapeError("scatterAdd", `index [${index.shape}] and source [${source.shape}] must have one shape.`);
    }
    if (x.dtype !== source.dtype) {
      throw new DTypeError("scatterAdd", `dtypes differ: ${x.dtype} and ${source.dtype}. Convert with .to(dtype).`);
    }
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  forward(backend, [x, index, source], [out], { axis }) {
    backend.map(identity, [x], [out], []);
    backend.scatterAdd("scatterAdd", crop(out, index.shape, axis), index, axis, source);
  },
  backward: ({ gradient, inputs: [, index], options: { axis }, needs }) => [
    needs[0] ? gradient : undefined,
    undefined,
    needs[2] ? apply(gatherOp, [gradient, index], { name: "scatterAdd", axis }) : undefined,
  ],
};

/** Values in order along an axis, and where they came from. */
export const sortOp: Op<{ axis: number; descending: boolean }> = {
  name: "sort",
  saves: "outputs",
  infer: ([x]) => [
    { shape: x.shape, dtype: x.dtype },
    { shape: x.shape, dtype: "int32" },
  ],
  forward(backend, [x], [values, indices], { axis, descending }) {
    backend.sort(x, axis, descending, values, indices);
  },
  backward: ({ gradient, outputs: [, indices], options: { axis } }) => [
    apply(scatterIntoZerosOp, [gradient, indices], { name: "sort", axis, shape: gradient.shape }),
  ],
};

/** Whole slices of x along an axis, in the order of a list of positions. Shapes: x `[…, n, …]`, index `[m]` → `[…, m, …]`. */
export function indexSelect(name: string, x: Tensor, axis: number, index: Tensor): Tensor {
  if (index.rank !== 1) throw new ShapeError(name, `the index must have one axis, got [${index.shape}].`);
  if (x.rank === 0) throw new IndexError(name, "a single number has no axis to select from.");
  const shape = mapSizes(x.shape, (size, i) => (i === axis ? index.shape[0] : size));
  const strides = mapSizes(shape, (_, i) => (i === axis ? index.strides[0] : 0)); // whole rows
  const rows = index._wrap(index.storage, shape, strides, index.offset, index.dtype);
  return apply(gatherOp, [x, rows], { name, axis });
}

function requireIndex(operation: string, index: Tensor): void {
  if (index.dtype !== "int32" && index.dtype !== "uint8") {
    throw new DTypeError(operation, `an index must be int32, got ${index.dtype}. Convert with .to("int32").`);
  }
}

/** Other axes of the index may be shorter than those of x, never longer. */
function requireAlike(operation: string, shape: Shape, index: Shape, axis: number): void {
  if (shape.length !== index.length || index.some((size, i) => i !== axis && size > shape[i])) {
    throw new ShapeError(
      operation,
      `index [${index}] does not fit [${shape}] along axis ${axis}; they need equal ranks, and no other axis may be longer.`,
    );
  }
}

/** The corner of x an index of smaller shape speaks of. */
function crop(x: Tensor, index: Shape, axis: number): Tensor {
  const shape = mapSizes(x.shape, (size, i) => (i === axis ? size : index[i]));
  return sameShape(shape, x.shape) ? x : x._wrap(x.storage, shape, x.strides, x.offset, x.dtype);
}

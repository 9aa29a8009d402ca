import type { Backend, View } from "../../backend/backend.ts";
import { DTypeError, ShapeError } from "../../backend/errors.ts";
import { call, input, Kernel } from "../../backend/expr.ts";
import { broadcastShapes, contiguousStrides, type Shape, sameShape, sizeOf } from "../../backend/shape.ts";
import { apply } from "../apply.ts";
import { isGradEnabled } from "../autograd/mode.ts";
import type { Tensor } from "../tensor.ts";
import { sumToShape } from "./elementwise.ts";
import type { BackwardContext, Op } from "./op.ts";

const product = new Kernel([call("mul", input(0), input(1))], 2);
const sum = new Kernel([call("add", input(0), input(1))], 2);
const cutOff = new Kernel([call("max", input(0), 0)], 1);
const passed = new Kernel([call("where", call("less", 0, input(1)), input(0), 0)], 2);

/** a · b. Shapes: `[…batch, m, k]`, `[…batch, k, n]` → `[…batch, m, n]`, batch axes equal. */
export const matmulOp: Op = {
  name: "matmul",
  saves: "inputs",
  infer([a, b]) {
    return [{ shape: [...a.shape.slice(0, -1), b.shape[b.rank - 1]], dtype: a.dtype }];
  },
  forward(backend, [a, b], [out]) {
    multiply(backend, a, b, undefined, false, out);
  },
  backward: ({ gradient, inputs: [a, b], needs }) => [
    needs[0] ? apply(matmulOp, [gradient, b.transpose(-1, -2)], undefined) : undefined,
    needs[1] ? apply(matmulOp, [a.transpose(-1, -2), gradient], undefined) : undefined,
  ],
};

/** x · wᵀ (+ b). Shapes: x `[n, in]`, w `[out, in]`, b `[out]` → `[n, out]`. */
export const linearOp: Op = {
  name: "linear",
  saves: "inputs",
  infer([x, w, b]) {
    if (w.rank !== 2 || x.rank !== 2 || x.shape[1] !== w.shape[1]) {
      throw new ShapeError(
        "linear",
        `input [${x.shape}] does not fit weight [${w.shape}] (${x.shape.at(-1)} ≠ ${w.shape.at(-1)} features).`,
      );
    }
    if (b !== undefined && !sameShape(b.shape, [w.shape[0]])) {
      throw new ShapeError("linear", `bias [${b.shape}] does not fit weight [${w.shape}]; it must be [${w.shape[0]}].`);
    }
    requireSameDType("linear", b === undefined ? [x, w] : [x, w, b]);
    return [{ shape: [x.shape[0], w.shape[0]], dtype: x.dtype }];
  },
  forward(backend, [x, w, b], [out]) {
    multiply(backend, x, transposed(w), b, false, out);
  },
  backward: (context) => linearGradients(context.gradient, context),
};

/** max(x · wᵀ (+ b), 0) in one pass. Shapes as of {@link linearOp}. */
export const linearReluOp: Op = {
  name: "linear",
  saves: "both",
  infer: linearOp.infer,
  forward(backend, [x, w, b], [out]) {
    multiply(backend, x, transposed(w), b, true, out);
  },
  backward(context) {
    const {
      gradient,
      outputs: [y],
    } = context;
    if (isGradEnabled()) return linearGradients(gradient.mul(y.gt(0)), context);
    const { backend } = gradient.storage;
    const before = y._empty(y.shape, y.dtype);
    backend.map(passed, [gradient, y], [before], []);
    const gradients = linearGradients(before, context);
    backend.release(before.storage);
    return gradients;
  },
};

/** Gradients of input, weight and bias from that of the result. */
function linearGradients(gradient: Tensor, context: BackwardContext<undefined>): (Tensor | undefined)[] {
  const { inputs, inputSpecs, needs } = context;
  const [x, w] = inputs;
  const isRecorded = isGradEnabled();
  const turned = isRecorded ? gradient.transpose(0, 1) : transposed(gradient);
  return [
    needs[0] ? apply(matmulOp, [gradient, w], undefined) : undefined,
    needs[1] ? apply(matmulOp, [turned, x], undefined) : undefined,
    needs[2] ? (isRecorded ? gradient.sum(0) : sumToShape(gradient, inputSpecs[2].shape)) : undefined,
  ];
}

/**
 * The product of two tensors by PyTorch's rules: vectors are rows or columns for the moment, batch axes broadcast.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  if (a.rank === 0 || b.rank === 0) {
    throw new ShapeError("matmul", `needs at least one axis on both sides: [${a.shape}] · [${b.shape}]. Use mul().`);
  }
  const [left, right] = [a.rank === 1 ? a.unsqueeze(0) : a, b.rank === 1 ? b.unsqueeze(1) : b];
  const [k, l] = [left.shape[left.rank - 1], right.shape[right.rank - 2]];
  if (k !== l) {
    throw new ShapeError("matmul", `inner sizes differ: [${a.shape}] · [${b.shape}] (${k} ≠ ${l}).`);
  }
  requireSameDType("matmul", [a, b]);
  const result = batched(left, right);
  const squeezed = a.rank === 1 ? result.squeeze(-2) : result;
  return b.rank === 1 ? squeezed.squeeze(-1) : squeezed;
}

/** x · wᵀ + b over the last axis of x, whatever axes stand before it; with `relu` cut off below 0. */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor, { relu } = { relu: false }): Tensor {
  const inputs = bias === undefined ? [x, weight] : [x, weight, bias];
  const op = relu ? linearReluOp : linearOp;
  if (x.rank === 2) return apply(op, inputs, undefined);
  if (x.rank === 0) throw new ShapeError("linear", `input [] does not fit weight [${weight.shape}].`);
  const lead = x.shape.slice(0, -1);
  const rows = x.reshape([sizeOf(lead), x.shape[x.rank - 1]]); // [...b, in] → [b, in]
  return apply(op, [rows, ...inputs.slice(1)], undefined).reshape([...lead, weight.shape[0]]);
}

function batched(a: Tensor, b: Tensor): Tensor {
  if (a.rank === 2 && b.rank === 2) return apply(matmulOp, [a, b], undefined);
  if (b.rank === 2) {
    const lead = a.shape.slice(0, -1);
    const rows = apply(matmulOp, [a.reshape([sizeOf(lead), b.shape[0]]), b], undefined); // one product for all batches
    return rows.reshape([...lead, b.shape[1]]);
  }
  const batch = broadcastShapes("matmul", [a.shape.slice(0, -2), b.shape.slice(0, -2)]);
  const stretch = (x: Tensor): Tensor => x.expand([...batch, ...x.shape.slice(-2)]);
  return apply(matmulOp, [stretch(a), stretch(b)], undefined);
}

/** The product by the backend's kernel, or by a fused multiply-and-sum where it has none. */
function multiply(backend: Backend, a: Tensor, b: Tensor, bias: Tensor | undefined, relu: boolean, out: Tensor): void {
  if (backend.fast.matmul !== undefined) {
    backend.fast.matmul(a, b, bias, relu, out);
    return;
  }
  const [m, k] = a.shape.slice(-2);
  const n = b.shape[b.rank - 1];
  const full: Shape = [...a.shape.slice(0, -2), m, k, n];
  const left: View = { ...viewOf(a), shape: [...a.shape, 1], strides: [...a.strides, 0] }; // [b, m, k, 1]
  const right: View = {
    ...viewOf(b),
    shape: [...b.shape.slice(0, -2), 1, k, n],
    strides: [...b.strides.slice(0, -2), 0, ...b.strides.slice(-2)],
  };
  const kept = [...a.shape.slice(0, -2), m, 1, n];
  const target: View = { ...viewOf(out), shape: kept, strides: contiguousStrides(kept) };
  backend.reduce("sum", product, [left, right], full, target, []);
  if (bias !== undefined) backend.map(sum, [out, bias], [out], []);
  if (relu) backend.map(cutOff, [out], [out], []);
}

function viewOf({ storage, shape, strides, offset, dtype }: View): View {
  return { storage, shape, strides, offset, dtype };
}

function transposed(w: Tensor): Tensor {
  return w._wrap(w.storage, [w.shape[1], w.shape[0]], [w.strides[1], w.strides[0]], w.offset, w.dtype);
}

function requireSameDType(operation: string, tensors: readonly Tensor[]): void {
  for (const x of tensors) {
    if (x.dtype !== tensors[0].dtype || x.dtype === "bool") {
      throw new DTypeError(
        operation,
        `dtypes must be equal numbers: ${tensors[0].dtype} and ${x.dtype}. Convert with .to(dtype).`,
      );
    }
  }
}

import type { Backend } from "../../backend/backend.ts";
import { DTypeError, IndexError, ShapeError } from "../../backend/errors.ts";
import { call, constant, input, Kernel, scalar } from "../../backend/expr.ts";
import { contiguousStrides, keptShape } from "../../backend/shape.ts";
import { isGradEnabled } from "../autograd/mode.ts";
import type { Tensor } from "../tensor.ts";
import { requireFloat } from "./elementwise.ts";
import type { Op } from "./op.ts";

const [x0, x1, x2, x3] = [input(0), input(1), input(2), input(3)];
const identity = new Kernel([x0], 1);
const shiftedExp = new Kernel([call("exp", call("sub", x0, x1))], 2);
const logPlus = new Kernel([call("add", call("log", x0), x1)], 2);
const difference = new Kernel([call("sub", x0, x1)], 2);
const product = new Kernel([call("mul", x0, x1)], 2);
const scaled = new Kernel([call("mul", x0, scalar(0))], 1, 1);
// (e^(x−lse) − onehot)·scale; x3 is "this is the target's column"
const crossEntropyGradient = new Kernel([call("mul", call("sub", call("exp", call("sub", x0, x1)), x3), x2)], 4);

/** How {@link crossEntropyOp} works. */
export interface CrossEntropyOpOptions {
  readonly ignoreIndex: number;
  /** The losses of all rows are summed and multiplied by it; `undefined` leaves them as they are. */
  readonly scale?: number | undefined;
}

/** Softmax over an axis, or its logarithm, without overflow. */
export const softmaxOp: Op<{ axis: number; log: boolean }> = {
  name: "softmax",
  saves: "outputs",
  infer([x], { log }) {
    requireFloat(log ? "logSoftmax" : "softmax", x);
    return [{ shape: x.shape, dtype: x.dtype }];
  },
  forward(backend, [x], [out], { axis, log }) {
    if (x.numel() === 0) return;
    const { softmax } = backend.fast;
    const last = axis === x.rank - 1;
    if (softmax !== undefined && last && x.isContiguous() && x.dtype === "float32") {
      const shape = [x.numel() / x.shape[axis], x.shape[axis]];
      softmax(flat(x, shape), log, flat(out, shape));
      return;
    }
    const lse = logSumExpInto(backend, x, axis);
    backend.map(log ? difference : shiftedExp, [x, lse], [out], []);
    backend.release(lse.storage);
  },
  backward({ gradient, outputs: [y], options: { axis, log } }) {
    const total = log ? gradient.sum(axis, { keepDims: true }) : gradient.mul(y).sum(axis, { keepDims: true });
    return [log ? gradient.sub(y.exp().mul(total)) : y.mul(gradient.sub(total))];
  },
};

/**
 * Cross-entropy of each row against an integer target, log-sum-exp inside.
 * Shapes: logits `[n, c]`, targets `[n]` → `[n]`, or `[]` with a scale, and log-sum-exp `[n]` for backward.
 */
export const crossEntropyOp: Op<CrossEntropyOpOptions> = {
  name: "crossEntropy",
  saves: "both",
  visible: 1,
  infer([logits, targets], { scale }) {
    requireFloat("crossEntropy", logits);
    if (targets.dtype !== "int32" && targets.dtype !== "uint8") {
      throw new DTypeError(
        "crossEntropy",
        `targets must be int32 class numbers, got ${targets.dtype}. Convert with .to("int32").`,
      );
    }
    if (logits.rank !== 2 || targets.rank !== 1 || logits.shape[0] !== targets.shape[0]) {
      throw new ShapeError(
        "crossEntropy",
        `logits [${logits.shape}] and targets [${targets.shape}] do not fit (${logits.shape[0]} ≠ ${targets.shape[0]}); they must be [n, c] and [n].`,
      );
    }
    const spec = { shape: targets.shape, dtype: logits.dtype };
    return [scale === undefined ? spec : { ...spec, shape: [] }, spec];
  },
  forward(backend, inputs, [out, lse], { ignoreIndex, scale }) {
    const [logits, targets] = inputs;
    if (logits.numel() === 0) {
      out._fill(scale === undefined ? 0 : 0 * scale); // a mean over nothing is NaN
      return;
    }
    if (scale !== undefined) {
      const losses = logits._empty(targets.shape, logits.dtype);
      crossEntropyOp.forward(backend, inputs, [losses, lse], { ignoreIndex });
      backend.reduce("sum", scaled, [losses], losses.shape, flat(out, [1]), [scale]);
      backend.release(losses.storage);
      return;
    }
    const losses = out;
    const { crossEntropy } = backend.fast;
    if (crossEntropy !== undefined && logits.dtype === "float32" && targets.dtype === "int32") {
      crossEntropy(logits, targets, ignoreIndex, losses, lse);
      return;
    }
    checkTargets(targets, logits.shape[1], ignoreIndex);
    const exact = logSumExpInto(backend, logits, 1);
    backend.map(identity, [flat(exact, [logits.shape[0]])], [lse], []);
    const chosen = oneHot(logits, targets);
    // lse − Σ onehot·x, and 0 in ignored rows, whose one-hot row is empty
    const picked = logits._empty([logits.shape[0], 1], logits.dtype);
    backend.reduce("sum", product, [logits, chosen], logits.shape, picked, []);
    const counted = targets.ne(ignoreIndex);
    backend.map(maskedDifference, [lse, flat(picked, [logits.shape[0]]), counted], [losses], []);
  },
  backward({ gradient, inputs: [logits, targets], outputs: [, lse], options: { ignoreIndex, scale: factor = 1 } }) {
    if (isGradEnabled()) {
      const counted = gradient.mul(targets.ne(ignoreIndex)).mul(factor).unsqueeze(1);
      return [logits.softmax(1).sub(oneHot(logits, targets)).mul(counted)];
    }
    const out = logits._empty(logits.shape, logits.dtype);
    const { backend } = logits.storage;
    const { crossEntropyBackward } = backend.fast;
    if (crossEntropyBackward !== undefined && logits.dtype === "float32" && targets.dtype === "int32") {
      const perRow = gradient.rank === 1 ? gradient : gradient.expand(targets.shape);
      crossEntropyBackward(logits, targets, lse, ignoreIndex, perRow, factor, out);
      return [out];
    }
    const scale = gradient.mul(targets.ne(ignoreIndex).to(gradient.dtype)).mul(factor);
    const views = [logits, lse.unsqueeze(1), scale.unsqueeze(1), oneHot(logits, targets)];
    backend.map(crossEntropyGradient, views, [out], []);
    return [out];
  },
};

const maskedDifference = new Kernel([call("where", x2, call("sub", x0, x1), constant(0))], 3);

/** Refuses a class number outside the classes, naming the first. */
export function checkTargets(targets: Tensor, classes: number, ignoreIndex: number): void {
  const values = targets.toTypedArray();
  for (let i = 0; i < values.length; i++) {
    const t = values[i];
    if (t !== ignoreIndex && !(t >= 0 && t < classes)) {
      throw new IndexError(
        "crossEntropy",
        `target ${t} at position ${i} is out of range for ${classes} classes (0 to ${classes - 1}).`,
      );
    }
  }
}

/** log Σ e^x over an axis, which stays with size 1; the largest element is taken out first. */
function logSumExpInto(backend: Backend, x: Tensor, axis: number): Tensor {
  const kept = keptShape(x.shape, [axis]);
  const largest = x._empty(kept, x.dtype);
  const total = x._empty(kept, x.dtype);
  backend.reduce("max", identity, [x], x.shape, largest, []);
  backend.reduce("sum", shiftedExp, [x, largest], x.shape, total, []);
  backend.map(logPlus, [total, largest], [total], []);
  backend.release(largest.storage);
  return total;
}

function oneHot(logits: Tensor, targets: Tensor): Tensor {
  return targets.unsqueeze(1).eq(logits._range(logits.shape[1]));
}

function flat(x: Tensor, shape: readonly number[]): Tensor {
  return x._wrap(x.storage, shape, contiguousStrides(shape), x.offset, x.dtype);
}

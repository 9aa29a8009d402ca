import type { Backend } from "../../backend/backend.ts";
import { dtypes } from "../../backend/dtype.ts";
import { ShapeError } from "../../backend/errors.ts";
import { call, type Expr, type ExprLike, input, Kernel } from "../../backend/expr.ts";
import { broadcastShapes, contiguousStrides, keptShape, type Shape, sizeOf } from "../../backend/shape.ts";
import { apply } from "../apply.ts";
import { isGradEnabled } from "../autograd/mode.ts";
import type { Tensor } from "../tensor.ts";
import { div, mul, sub } from "./derivative.ts";
import { define, ElementwiseOp } from "./elementwise.ts";
import type { BackwardContext, Op, OutputSpec, Saves } from "./op.ts";
import { ScalarFunction } from "./scalarFunction.ts";

/** Which axes go, and the numbers the expression takes. */
export interface ReduceOptions {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
  readonly numbers: readonly number[];
}

/** The sum over axes of a scalar function of broadcast inputs; its products are never stored. */
export class SumOp implements Op<ReduceOptions> {
  readonly name: string;
  readonly saves: Saves;
  private readonly _elementwise: ElementwiseOp;

  constructor(name: string, build: (args: readonly Expr[]) => ExprLike, numbers: readonly boolean[]) {
    this._elementwise = new ElementwiseOp(new ScalarFunction(name, build, numbers, { reuseResult: false }));
    this.name = name;
    this.saves = this._elementwise.saves;
  }

  infer(inputs: readonly Tensor[], { axes, keepDims, numbers }: ReduceOptions): readonly OutputSpec[] {
    const full = this.fullShape(inputs);
    const dtype = this._elementwise.fn.resultType(inputs, numbers);
    return [{ shape: reducedShape(full, axes, keepDims), dtype: dtypes[dtype].kind === "float" ? dtype : "int32" }];
  }

  forward(backend: Backend, inputs: readonly Tensor[], [out]: readonly Tensor[], options: ReduceOptions): void {
    const full = this.fullShape(inputs);
    const kept = keptView(out, full, options.axes);
    backend.reduce("sum", this._elementwise.fn.kernel, inputs, full, kept, options.numbers);
  }

  backward(context: BackwardContext<ReduceOptions>): readonly (Tensor | undefined)[] {
    const { inputSpecs, options } = context;
    const full = broadcastShapes(
      this.name,
      inputSpecs.map((spec) => spec.shape),
    );
    const gradient = spread(context.gradient, full, options.axes);
    return this._elementwise.backward({ ...contextOf(context), gradient, options: options.numbers });
  }

  private fullShape(inputs: readonly Tensor[]): Shape {
    return inputs.length === 1
      ? inputs[0].shape
      : broadcastShapes(
          this.name,
          inputs.map((x) => x.shape),
        );
  }
}

/** Σ x */
export const sumOp = new SumOp("sum", ([x]) => x, [false]);
/** Σ x·s: the mean, with s = 1/n */
export const scaledSumOp = new SumOp("mean", ([x, s]) => mul(x, s), [false, true]);
/** Σ x² */
export const squareSumOp = new SumOp("norm", ([x]) => mul(x, x), [false]);
/** Σ |x| */
export const absSumOp = new SumOp("norm", ([x]) => call("abs", x), [false]);
/** Σ (x − m)²·s: the variance, with s = 1/(n − correction) */
export const varianceOp = new SumOp("var", ([x, m, s]) => mul(square(sub(x, m)), s), [false, false, true]);
/** Σ (x − y)²·s: mean squared error */
export const squaredErrorOp = new SumOp("mse", ([x, y, s]) => mul(square(sub(x, y)), s), [false, false, true]);

/** √x with gradient 0 at 0, as norms need it. */
export const rootOp = define("norm", 1, ([x]) => call("sqrt", x), {
  derivative: ([x], g) => [call("where", call("equal", x, 0), 0, div(g, mul(2, call("sqrt", x))))],
});

/** x^s with gradient 0 at 0, for norms of other orders. */
export const powerNormOp = define("norm", 2, ([x, s]) => call("pow", x, s), {
  derivative: ([x, s], g) => [call("where", call("equal", x, 0), 0, mul(g, mul(s, call("pow", x, sub(s, 1))))), 0],
});

/** Largest or smallest over axes; equal winners share the gradient. */
export const extremeOp: Op<{ kind: "max" | "min"; axes: readonly number[]; keepDims: boolean }> = {
  name: "amax",
  saves: "both",
  infer([x], { kind, axes, keepDims }) {
    requireElements(`a${kind}`, x.shape, axes);
    return [{ shape: reducedShape(x.shape, axes, keepDims), dtype: x.dtype }];
  },
  forward(backend, [x], [out], { kind, axes }) {
    backend.reduce(kind, identity, [x], x.shape, keptView(out, x.shape, axes), []);
  },
  backward({ gradient, inputs: [x], outputs: [y], options: { axes } }) {
    const winners = x.eq(spread(y, x.shape, axes)).to(x.dtype);
    const share = spread(
      gradient.reshape(keptShape(x.shape, axes)).div(winners.sum(axes, { keepDims: true })),
      x.shape,
      axes,
    );
    return [winners.mul(share)];
  },
};

/** Product over axes, the ones that go being last; right also where factors are zero. */
export const prodOp: Op<{ axis: number }> = {
  name: "prod",
  saves: "inputs",
  infer: ([x], { axis }) => [
    { shape: reducedShape(x.shape, [axis], false), dtype: dtypes[x.dtype].kind === "float" ? x.dtype : "int32" },
  ],
  forward(backend, [x], [out], { axis }) {
    backend.reduce("prod", identity, [x], x.shape, keptView(out, x.shape, [axis]), []);
  },
  backward({ gradient, inputs: [x], options: { axis } }) {
    // d/dx_i = (product of those before) · (product of those after)
    const before = exclusiveProduct(x, axis);
    const after = exclusiveProduct(x.flip(axis), axis).flip(axis);
    return [before.mul(after).mul(gradient.unsqueeze(axis))];
  },
};

/** Whether any (max) or all (min) elements are not zero. */
export const truthOp: Op<{ kind: "max" | "min"; axes: readonly number[]; keepDims: boolean }> = {
  name: "any",
  saves: "nothing",
  infer: ([x], { axes, keepDims }) => [{ shape: reducedShape(x.shape, axes, keepDims), dtype: "bool" }],
  forward(backend, [x], [out], { kind, axes }) {
    const kept = keptView(out, x.shape, axes);
    if (x.numel() === 0) backend.map(kind === "max" ? never : always, [], [kept], []);
    else backend.reduce(kind, truth, [x], x.shape, kept, []);
  },
};

/** Running sum along an axis. */
export const cumsumOp: Op<{ axis: number }> = {
  name: "cumsum",
  saves: "nothing",
  infer: ([x]) => [{ shape: x.shape, dtype: dtypes[x.dtype].kind === "float" ? x.dtype : "int32" }],
  forward(backend, [x], [out], { axis }) {
    backend.scan("sum", x, axis, out);
  },
  backward: ({ gradient, options: { axis } }) => [gradient.flip(axis).cumsum(axis).flip(axis)],
};

/**
 * Running product along an axis: one scan where nothing is recorded, else doubled products, whose gradient is right also
 * where factors are 0.
 */
export function runningProduct(x: Tensor, axis: number): Tensor {
  if (!(x.requiresGrad && isGradEnabled())) return apply(cumprodOp, [x], { axis });
  const size = x.shape[axis] ?? 1;
  let result = x;
  for (let reach = 1; reach < size; reach *= 2) {
    const lead = x.slice(axis, 0, reach).detach()._filled(1);
    result = result.mul(lead.cat([result.slice(axis, 0, size - reach)], axis));
  }
  return result === x ? x.clone() : result;
}

const cumprodOp: Op<{ axis: number }> = {
  name: "cumprod",
  saves: "nothing",
  infer: ([x]) => [{ shape: x.shape, dtype: dtypes[x.dtype].kind === "float" ? x.dtype : "int32" }],
  forward(backend, [x], [out], { axis }) {
    backend.scan("prod", x, axis, out);
  },
};

/** Position of the largest or smallest along an axis, which stays with size 1. */
export const argExtremeOp: Op<{ kind: "max" | "min"; axis: number }> = {
  name: "argmax",
  saves: "nothing",
  infer([x], { kind, axis }) {
    requireElements(`arg${kind}`, x.shape, [axis]);
    return [{ shape: keptShape(x.shape, [axis]), dtype: "int32" }];
  },
  forward(backend, [x], [out], { kind, axis }) {
    backend.argReduce(kind, x, axis, out);
  },
};

/** The shape after reducing over `axes`. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): Shape {
  return keepDims ? keptShape(shape, axes) : shape.filter((_, i) => !axes.includes(i));
}

/** Number of elements that are joined into one. */
export function countOver(shape: Shape, axes: readonly number[]): number {
  return sizeOf(axes.map((axis) => shape[axis]));
}

/** A reduced tensor looked at as of full shape: its elements repeat along the reduced axes. */
export function spread(x: Tensor, full: Shape, axes: readonly number[]): Tensor {
  return x.reshape(keptShape(full, axes)).expand(full);
}

const identity = new Kernel([input(0)], 1);
const truth = new Kernel([call("equal", call("equal", input(0), 0), 0)], 1);
const never = new Kernel([call("add", 0, 0)], 0);
const always = new Kernel([call("add", 0, 1)], 0);

function square(x: Expr): Expr {
  return mul(x, x);
}

function keptView(out: Tensor, full: Shape, axes: readonly number[]): Tensor {
  const shape = keptShape(full, axes);
  return out._wrap(out.storage, shape, contiguousStrides(shape), out.offset, out.dtype);
}

/** A context's fields as a plain object, so that some can be replaced. */
function contextOf<O>(context: BackwardContext<O>): BackwardContext<O> {
  const { gradient, gradients, inputs, outputs, inputSpecs, options, needs } = context;
  return { gradient, gradients, inputs, outputs, inputSpecs, options, needs };
}

function exclusiveProduct(x: Tensor, axis: number): Tensor {
  const size = x.shape[axis];
  const one = x.slice(axis, 0, 1)._filled(1);
  return size < 2 ? one : one.cat([runningProduct(x.slice(axis, 0, size - 1), axis)], axis);
}

function requireElements(operation: string, shape: Shape, axes: readonly number[]): void {
  if (countOver(shape, axes) === 0) {
    throw new ShapeError(operation, `nothing to choose from: [${shape}] has no elements along axes [${axes}].`);
  }
}

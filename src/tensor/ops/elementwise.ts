import { type DType, isFloatingPoint } from "../../backend/dtype.ts";
import { ArgumentError, DeviceError, DTypeError, GradientError } from "../../backend/errors.ts";
import { type Expr, type ExprLike, input, Kernel } from "../../backend/expr.ts";
import {
  broadcastShapes,
  broadcastStrides,
  contiguousStrides,
  isContiguous,
  isDense,
  mapSizes,
  type Shape,
  sameShape,
  stridesInOrder,
} from "../../backend/shape.ts";
import { apply } from "../apply.ts";
import { isGradEnabled } from "../autograd/mode.ts";
import type { Tensor } from "../tensor.ts";
import type { BackwardContext, Op, OutputSpec, Saves } from "./op.ts";
import { type DerivativeRule, type ResultType, ScalarFunction } from "./scalarFunction.ts";

/** What an elementwise function takes: tensors, and plain numbers that keep the tensors' dtype. */
export type TensorLike = Tensor | number;

/** Options of an elementwise definition. */
export interface ElementwiseOptions {
  readonly derivative?: DerivativeRule | undefined;
  readonly result?: ResultType | undefined;
}

const identityKernel = new Kernel([input(0)], 1);

/** A scalar function lifted to tensors: broadcast, fused forward and fused backward. */
export class ElementwiseOp implements Op<readonly number[]> {
  readonly name: string;
  readonly saves: Saves;
  readonly fn: ScalarFunction;
  private readonly _gradientOps: (ElementwiseOp | undefined)[] = [];

  constructor(fn: ScalarFunction) {
    this.name = fn.name;
    this.saves = fn.saves;
    this.fn = fn;
  }

  infer(inputs: readonly Tensor[], numbers: readonly number[]): readonly OutputSpec[] {
    const dtype = this.fn.resultType(inputs, numbers);
    const first = inputs[0];
    if (inputs.length === 1 || inputs.every((x) => sameShape(x.shape, first.shape))) {
      return [{ shape: first.shape, dtype, strides: commonStrides(inputs, first.shape) }];
    }
    const shape = broadcastShapes(
      this.name,
      inputs.map((x) => x.shape),
    );
    return [{ shape, dtype, strides: commonStrides(inputs, shape) }];
  }

  forward(
    backend: Tensor["storage"]["backend"],
    inputs: readonly Tensor[],
    outputs: readonly Tensor[],
    numbers: readonly number[],
  ): void {
    backend.map(this.fn.kernel, inputs, outputs, numbers);
  }

  backward(context: BackwardContext<readonly number[]>): readonly (Tensor | undefined)[] {
    return isGradEnabled() ? this.differentiable(context) : this.fused(context);
  }

  /** All gradients of full shape in one pass over the data; broadcast inputs by one fused reduction each. */
  private fused({ gradient, inputs, outputs, inputSpecs, options, needs }: BackwardContext<readonly number[]>) {
    const { backend } = gradient.storage;
    const views = this.gradientViews(gradient, inputs, outputs);
    const results: (Tensor | undefined)[] = needs.map(() => undefined);
    let mask = 0;
    const full: Tensor[] = [];
    const made = new Map<Expr, Tensor>(); // inputs with the same formula, as those of a sum, share their gradient
    needs.forEach((needed, i) => {
      if (!needed || !isFloatingPoint(inputSpecs[i].dtype)) return;
      const { shape, dtype } = inputSpecs[i];
      if (!sameShape(shape, gradient.shape)) {
        results[i] = reduceTo(this.fn.gradientKernel(1 << i), views, gradient, shape, dtype, options);
      } else if (this.fn.passesThrough(i) && dtype === gradient.dtype) {
        results[i] = gradient;
      } else {
        const like = inputSpecs[i].strides ?? gradient.strides;
        const strides = isDense(shape, like) ? like : contiguousStrides(shape);
        const formula = this.fn.gradients[i];
        const earlier = made.get(formula);
        if (earlier?.dtype === dtype && sameShape(earlier.strides, strides)) {
          results[i] = earlier;
          return;
        }
        const result = gradient._empty(shape, dtype, strides);
        made.set(formula, result);
        results[i] = result;
        full.push(result);
        mask |= 1 << i;
      }
    });
    if (mask !== 0) backend.map(this.fn.gradientKernel(mask), views, full, options);
    return results;
  }

  private gradientViews(gradient: Tensor, inputs: readonly Tensor[], outputs: readonly Tensor[]): Tensor[] {
    const n = this.fn.inputCount;
    const views: Tensor[] = [];
    // A kernel never reads an input that was not saved; the gradient stands in for it.
    for (let i = 0; i < n; i++) views.push(inputs[i] ?? gradient);
    views.push(gradient, outputs[0] ?? gradient);
    return views;
  }

  /** The gradients as recorded operations, for gradients of gradients. */
  private differentiable({
    gradient,
    inputs,
    outputs,
    inputSpecs,
    options,
    needs,
  }: BackwardContext<readonly number[]>) {
    const views = this.gradientViews(gradient, inputs, outputs);
    return needs.map((needed, i) => {
      if (!needed || !isFloatingPoint(inputSpecs[i].dtype)) return undefined;
      const full = this.fn.passesThrough(i) ? gradient : apply(this.gradientOp(i), views, options);
      return full.sumTo(inputSpecs[i].shape).to(inputSpecs[i].dtype);
    });
  }

  private gradientOp(i: number): ElementwiseOp {
    let op = this._gradientOps[i];
    if (op === undefined) {
      const { inputCount, kernel, gradients, name } = this.fn;
      const expr = gradients[i];
      // Arguments: the inputs, g and the result as tensors, then the numbers.
      const numbers = [
        ...new Array<boolean>(inputCount + 2).fill(false),
        ...new Array<boolean>(kernel.scalarCount).fill(true),
      ];
      op = new ElementwiseOp(new ScalarFunction(`${name} backward`, () => expr, numbers));
      this._gradientOps[i] = op;
    }
    return op;
  }
}

/**
 * An elementwise function of one or more arguments, each a tensor or a number.
 * The pattern of tensors and numbers picks a specialised op, made on first use.
 */
export class Elementwise {
  readonly name: string;
  readonly arity: number;
  private readonly _build: (args: readonly Expr[]) => ExprLike;
  private readonly _options: ElementwiseOptions;
  private readonly _ops: (ElementwiseOp | undefined)[] = [];

  constructor(
    name: string,
    arity: number,
    build: (args: readonly Expr[]) => ExprLike,
    options: ElementwiseOptions = {},
  ) {
    this.name = name;
    this.arity = arity;
    this._build = build;
    this._options = options;
  }

  /** Applies it to tensors and numbers, at least one of them a tensor. */
  call(...args: readonly TensorLike[]): Tensor {
    const tensors: Tensor[] = [];
    const numbers: number[] = [];
    let mask = 0;
    for (let i = 0; i < args.length; i++) {
      const argument = args[i];
      if (typeof argument === "number") {
        numbers.push(argument);
        mask |= 1 << i;
      } else {
        tensors.push(argument);
      }
    }
    if (args.length !== this.arity || tensors.length === 0) {
      throw new ArgumentError(
        this.name,
        `takes ${this.arity} arguments, at least one of them a tensor; got ${args.length} with ${tensors.length} tensors.`,
      );
    }
    return apply(this.op(mask), tensors, roundNumbers(numbers, tensors));
  }

  /** The op for a pattern of numbers: bit i is set where argument i is a number. */
  op(mask: number): ElementwiseOp {
    let op = this._ops[mask];
    if (op === undefined) {
      const numbers = Array.from({ length: this.arity }, (_, i) => (mask & (1 << i)) !== 0);
      op = new ElementwiseOp(new ScalarFunction(this.name, this._build, numbers, this._options));
      this._ops[mask] = op;
    }
    return op;
  }

  /** Writes the result over the first argument. */
  callInPlace(...args: readonly [Tensor, ...TensorLike[]]): Tensor {
    const target = args[0];
    target._checkInPlace(this.name);
    const tensors = args.filter((x) => typeof x !== "number");
    requireReadable(`${this.name}_`, target, tensors);
    const numbers = roundNumbers(
      args.filter((x) => typeof x === "number"),
      tensors,
    );
    const op = this.op(args.reduce<number>((bits, x, i) => (typeof x === "number" ? bits | (1 << i) : bits), 0));
    const [{ shape, dtype }] = op.infer(tensors, numbers);
    if (isFloatingPoint(dtype) && !isFloatingPoint(target.dtype)) {
      throw new DTypeError(
        `${this.name}_`,
        `the result is ${dtype} and cannot be written over ${target.dtype}. Use ${this.name}(), which makes a new tensor.`,
      );
    }
    if (!sameShape(shape, target.shape)) {
      throw new ArgumentError(
        `${this.name}_`,
        `the result [${shape}] does not fit the tensor [${target.shape}] it would overwrite.`,
      );
    }
    target.storage.backend.map(op.fn.kernel, tensors.map(sharing(target)), [target], numbers);
    target.storage.version++;
    return target;
  }
}

/** Sums a tensor over the axes along which `shape` was stretched to it. */
export function sumToShape(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  return reduceTo(identityKernel, [x], x, shape, x.dtype, []);
}

function reduceTo(
  kernel: Kernel,
  views: readonly Tensor[],
  full: Tensor,
  shape: Shape,
  dtype: DType,
  numbers: readonly number[],
): Tensor {
  const lead = full.rank - shape.length;
  const kept = mapSizes(full.shape, (_, i) => (i < lead ? 1 : shape[i - lead]));
  const out = full._empty(kept, dtype, contiguousStrides(kept));
  full.storage.backend.reduce("sum", kernel, views, full.shape, out, numbers);
  return out._wrap(out.storage, shape, contiguousStrides(shape), 0, dtype);
}

/** Strides of the result: those the inputs share when they are dense (channels-last stays so), else row-major. */
function commonStrides(inputs: readonly Tensor[], shape: Shape): readonly number[] | undefined {
  let pattern: Tensor | undefined;
  for (const x of inputs) {
    if (!sameShape(x.shape, shape)) continue;
    if (isContiguous(x.shape, x.strides)) return undefined;
    if (isDense(x.shape, x.strides)) pattern ??= x;
  }
  return pattern && orderOf(pattern.shape, pattern.strides);
}

/** Dense strides in the same memory order, also right where axes of size 1 carry odd strides. */
function orderOf(shape: Shape, strides: readonly number[]): readonly number[] {
  const order = [...shape.keys()].sort((a, b) => strides[b] - strides[a] || a - b);
  return stridesInOrder(shape, order);
}

/** An argument that overlaps the target other than as the very same view is copied first. */
function sharing(target: Tensor): (x: Tensor) => Tensor {
  return (x) => {
    if (x.storage !== target.storage || x === target) return x;
    const same =
      x.offset === target.offset &&
      sameShape(broadcastStrides(x.shape, x.strides, target.shape), target.strides) &&
      sameShape(x.shape, target.shape);
    return same ? x : x.clone();
  };
}

/** Refuses what an in-place change may not read: tensors of another device, and gradients it would drop unrecorded. */
export function requireReadable(operation: string, target: Tensor, sources: readonly Tensor[]): void {
  for (const x of sources) {
    if (x.storage.backend !== target.storage.backend) {
      throw new DeviceError(
        operation,
        `tensors lie on different devices: "${target.device}" and "${x.device}". Move one with .to(device).`,
      );
    }
    if (x.requiresGrad && isGradEnabled()) {
      throw new GradientError(
        operation,
        `the argument [${x.shape}] requires a gradient, and in-place changes are not recorded. Use noGrad(() => …), detach() it, or use the version that returns a new tensor.`,
      );
    }
  }
}

/** Numbers as the tensors' float32 holds them, so that `tensor([0.1]).eq(0.1)` is true; float64 and whole ones stay. */
function roundNumbers(numbers: readonly number[], tensors: readonly Tensor[]): readonly number[] {
  if (numbers.length === 0 || tensors.some((x) => x.dtype === "float64")) return numbers;
  if (numbers.every(Number.isInteger) && !tensors.some((x) => isFloatingPoint(x.dtype))) return numbers;
  return numbers.map(Math.fround);
}

/** Refuses dtypes that have no order or size an operation needs. */
export function requireFloat(operation: string, x: Tensor): void {
  if (!isFloatingPoint(x.dtype)) {
    throw new DTypeError(operation, `needs a floating-point tensor, got ${x.dtype}. Convert with .to("float32").`);
  }
}

/** Refuses a condition that is not bool. */
export function requireBool(operation: string, mask: Tensor): void {
  if (mask.dtype !== "bool") {
    throw new DTypeError(operation, `the mask must be bool, got ${mask.dtype}. Compare, e.g. with .ne(0), to get one.`);
  }
}

/** Short form for definitions. */
export function define(
  name: string,
  arity: number,
  build: (args: readonly Expr[]) => ExprLike,
  options: ElementwiseOptions = {},
): Elementwise {
  return new Elementwise(name, arity, build, options);
}

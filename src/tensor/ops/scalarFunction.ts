import { type DType, dtypes, promoteTypes } from "../../backend/dtype.ts";
import { call, type Expr, type ExprLike, input, Kernel, scalar } from "../../backend/expr.ts";
import type { Tensor } from "../tensor.ts";
import { derive, inputsOf } from "./derivative.ts";
import type { Saves } from "./op.ts";

/** How the dtype of the result follows from the inputs: joined, joined but at least float32, or bool. */
export type ResultType = "promote" | "float" | "bool";

/** The gradients by hand, where the derived ones would not be PyTorch's: times `g`, one per argument. */
export type DerivativeRule = (args: readonly Expr[], g: Expr) => readonly ExprLike[];

/** Options of a scalar function. */
export interface ScalarFunctionOptions {
  readonly derivative?: DerivativeRule | undefined;
  readonly result?: ResultType | undefined;
  /** Whether gradients may read the result instead of the inputs, where that is enough. Default true. */
  readonly reuseResult?: boolean;
}

/**
 * A scalar function of some tensors and some numbers, with its derived gradient; made once per combination.
 * Tensor arguments are inputs 0 … n−1; number arguments become scalars, so their values never recompile anything.
 */
export class ScalarFunction {
  readonly name: string;
  readonly expr: Expr;
  readonly inputCount: number;
  readonly result: ResultType;
  readonly kernel: Kernel;
  /** d/d(input i) · g, where input n is g and input n+1 the result of the forward. */
  readonly gradients: readonly Expr[];
  readonly saves: Saves;
  private readonly _kernels = new Map<number, Kernel>();

  constructor(
    name: string,
    build: (args: readonly Expr[]) => ExprLike,
    numbers: readonly boolean[],
    options: ScalarFunctionOptions = {},
  ) {
    const { derivative: rule, result = "promote", reuseResult = true } = options;
    let inputs = 0;
    let scalars = 0;
    const args = numbers.map((isNumber) => (isNumber ? scalar(scalars++) : input(inputs++)));
    const leaves = args.filter((_, i) => !numbers[i]);
    const built = build(args);
    this.name = name;
    this.expr = typeof built === "number" ? call("add", built, 0) : built;
    this.inputCount = inputs;
    this.result = result;
    this.kernel = new Kernel([this.expr], inputs, scalars);
    const g = input(inputs);
    const ruled = rule?.(args, g).map((part) => (typeof part === "number" ? call("add", part, 0) : part));
    const raw = ruled?.filter((_, i) => !numbers[i]) ?? derive(this.expr, leaves, g);
    const viaResult = raw.map((gradient) => replaceNode(gradient, this.expr, input(inputs + 1)));
    this.gradients = !reuseResult || readsInputs(viaResult, inputs) ? raw : viaResult;
    this.saves = savesOf(this.gradients, inputs);
  }

  /** Dtype of the result for these inputs and numbers. */
  resultType(inputs: readonly Tensor[], numbers: readonly number[]): DType {
    if (this.result === "bool") return "bool";
    let dtype: DType = inputs[0].dtype;
    for (const x of inputs) dtype = promoteTypes(dtype, x.dtype);
    if (dtypes[dtype].kind !== "float") {
      if (this.result === "float" || numbers.some((x) => !Number.isInteger(x))) return "float32";
      if (dtype === "bool" && numbers.length > 0) return "int32";
    }
    return dtype;
  }

  /** One kernel for the gradients of the inputs in `mask`, in one pass. */
  gradientKernel(mask: number): Kernel {
    let kernel = this._kernels.get(mask);
    if (kernel === undefined) {
      const wanted = this.gradients.filter((_, i) => mask & (1 << i));
      kernel = new Kernel(wanted, this.inputCount + 2, this.kernel.scalarCount);
      this._kernels.set(mask, kernel);
    }
    return kernel;
  }

  /** Whether the gradient of input i is just the incoming one. */
  passesThrough(i: number): boolean {
    return this.gradients[i] === input(this.inputCount);
  }
}

function replaceNode(expr: Expr, node: Expr, by: Expr, memo: Map<Expr, Expr> = new Map()): Expr {
  if (expr === node) return by;
  if (expr.kind !== "call") return expr;
  let result = memo.get(expr);
  if (result === undefined) {
    result = call(expr.op, ...expr.args.map((argument) => replaceNode(argument, node, by, memo)));
    memo.set(expr, result);
  }
  return result;
}

function readsInputs(gradients: readonly Expr[], count: number): boolean {
  return [...inputsOf(gradients)].some((index) => index < count);
}

function savesOf(gradients: readonly Expr[], count: number): Saves {
  const used = inputsOf(gradients);
  const inputs = readsInputs(gradients, count);
  if (used.has(count + 1)) return inputs ? "both" : "outputs";
  return inputs ? "inputs" : "nothing";
}

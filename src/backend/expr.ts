/**
 * Scalar expressions: what an elementwise operation computes for one element.
 * Nodes are shared (equal expressions are one object), so an expression is a graph and needs no common-subexpression pass.
 */

/** The scalar vocabulary with the number of arguments of each; every backend implements exactly this. Codes are positions. */
export const arity = {
  neg: 1, // -a
  abs: 1,
  sign: 1, // -1, 0, 1; NaN stays NaN
  exp: 1,
  expm1: 1,
  log: 1,
  log1p: 1,
  sqrt: 1,
  rsqrt: 1, // 1/√a
  reciprocal: 1,
  sin: 1,
  cos: 1,
  tan: 1,
  tanh: 1,
  sigmoid: 1, // 1/(1 + e^-a), stable at both ends
  softplus: 1, // log(1 + e^a), stable at both ends
  erf: 1,
  floor: 1,
  ceil: 1,
  round: 1, // half to even, as PyTorch
  trunc: 1,
  isNan: 1, // 1 or 0
  add: 2,
  sub: 2,
  mul: 2,
  div: 2,
  pow: 2,
  remainder: 2, // sign of the divisor, as Python's %
  max: 2, // NaN if either is NaN
  min: 2,
  less: 2, // a < b: 1 or 0
  lessEqual: 2,
  equal: 2,
  atan2: 2,
  where: 3, // a ≠ 0 ? b : c
} as const;

/** The name of a scalar operation. */
export type ScalarOp = keyof typeof arity;

/** A node of a scalar expression. */
export type Expr =
  | { readonly kind: "input"; readonly index: number } // element of the index-th input view
  | { readonly kind: "scalar"; readonly index: number } // a number given at call time, the same for all elements
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "call"; readonly op: ScalarOp; readonly args: readonly Expr[]; readonly id: number };

/** What expression builders accept: an expression or a plain number. */
export type ExprLike = Expr | number;

/** One step of a kernel in execution order; arguments are positions of earlier instructions. */
export type Instruction =
  | { readonly kind: "input"; readonly index: number }
  | { readonly kind: "scalar"; readonly index: number }
  | { readonly kind: "constant"; readonly value: number }
  | { readonly kind: "call"; readonly op: ScalarOp; readonly args: readonly number[] };

const inputs: Expr[] = [];
const scalars: Expr[] = [];
const constants = new Map<number | string, Expr>();
const calls = new Map<string, Expr>();
const keys = new WeakMap<Expr, string>();

/** The index-th input tensor's element. */
export function input(index: number): Expr {
  inputs[index] ??= keyed({ kind: "input", index }, `x${index}`);
  return inputs[index];
}

/** The index-th number given at call time. */
export function scalar(index: number): Expr {
  scalars[index] ??= keyed({ kind: "scalar", index }, `s${index}`);
  return scalars[index];
}

/** A number fixed in the expression. */
export function constant(value: number): Expr {
  const key = Object.is(value, -0) ? "-0" : value;
  let node = constants.get(key);
  if (node === undefined) {
    node = keyed({ kind: "constant", value }, `c${key}`);
    constants.set(key, node);
  }
  return node;
}

/** Applies a scalar operation; equal calls give the same object. */
export function call(op: ScalarOp, ...args: readonly ExprLike[]): Expr {
  const nodes = args.map(toExpr);
  const key = `${op}(${nodes.map(keyOf).join()})`;
  let node = calls.get(key);
  if (node === undefined) {
    node = keyed({ kind: "call", op, args: nodes, id: calls.size }, `e${calls.size}`);
    calls.set(key, node);
  }
  return node;
}

/** A number becomes a constant; an expression stays. */
export function toExpr(x: ExprLike): Expr {
  return typeof x === "number" ? constant(x) : x;
}

/** An expression with its inputs and scalars replaced. */
export function substitute(expr: Expr, replace: (leaf: Expr) => Expr, memo: Map<Expr, Expr> = new Map()): Expr {
  if (expr.kind === "constant") return expr;
  if (expr.kind !== "call") return replace(expr);
  let result = memo.get(expr);
  if (result === undefined) {
    result = call(expr.op, ...expr.args.map((argument) => substitute(argument, replace, memo)));
    memo.set(expr, result);
  }
  return result;
}

/**
 * What backends run: one or more expressions over the same inputs, evaluated together.
 * Backends keep their compiled form by kernel identity, so make a kernel once and reuse it.
 */
export class Kernel {
  readonly outputs: readonly Expr[];
  readonly inputCount: number;
  readonly scalarCount: number;
  /** The expressions as straight-line code, shared parts once. */
  readonly code: readonly Instruction[];
  /** For each output, the position in `code` that computes it. */
  readonly results: readonly number[];

  constructor(outputs: readonly Expr[], inputCount: number, scalarCount = 0) {
    const code: Instruction[] = [];
    const positions = new Map<Expr, number>();
    const place = (expr: Expr): number => {
      let position = positions.get(expr);
      if (position === undefined) {
        const instruction: Instruction =
          expr.kind === "call" ? { kind: "call", op: expr.op, args: expr.args.map(place) } : expr;
        position = code.push(instruction) - 1;
        positions.set(expr, position);
      }
      return position;
    };
    this.outputs = outputs;
    this.inputCount = inputCount;
    this.scalarCount = scalarCount;
    this.results = outputs.map(place);
    this.code = code;
  }
}

function keyed(expr: Expr, key: string): Expr {
  keys.set(expr, key);
  return expr;
}

function keyOf(expr: Expr): string {
  const key = keys.get(expr);
  if (key === undefined) throw new TypeError("expressions are made by input, scalar, constant and call only");
  return key;
}

import { call, constant, type Expr, type ExprLike, Kernel, toExpr } from "../../backend/expr.ts";

/** Builders that drop what algebra drops: 0·x, 1·x, x+0. */
export const add = (a: ExprLike, b: ExprLike): Expr =>
  isConstant(a, 0) ? toExpr(b) : isConstant(b, 0) ? toExpr(a) : call("add", a, b);
export const sub = (a: ExprLike, b: ExprLike): Expr =>
  isConstant(b, 0) ? toExpr(a) : isConstant(a, 0) ? neg(b) : call("sub", a, b);
export const mul = (a: ExprLike, b: ExprLike): Expr => {
  if (isConstant(a, 0) || isConstant(b, 0)) return constant(0);
  if (isConstant(a, 1)) return toExpr(b);
  if (isConstant(b, 1)) return toExpr(a);
  return call("mul", a, b);
};
export const div = (a: ExprLike, b: ExprLike): Expr => (isConstant(b, 1) ? toExpr(a) : call("div", a, b));
export const neg = (a: ExprLike): Expr => call("neg", a);

/** −1, 0 or 1, and 0 for NaN as PyTorch has it. */
export const signOf = (a: Expr): Expr => call("sub", call("less", 0, a), call("less", a, 0));

/**
 * The gradients of `expr` with respect to `leaves`, each times the expression `gradient`.
 * Reverse mode over the scalar graph, as backward does it for tensors.
 */
export function derive(expr: Expr, leaves: readonly Expr[], gradient: Expr): Expr[] {
  const adjoints = new Map<Expr, Expr>([[expr, gradient]]);
  for (const node of callsLastFirst(expr)) {
    const g = adjoints.get(node);
    if (g === undefined || node.kind !== "call") continue;
    node.args.forEach((argument, i) => {
      if (argument.kind === "constant") return;
      const part = partial(node, i, g);
      adjoints.set(argument, add(adjoints.get(argument) ?? constant(0), part));
    });
  }
  return leaves.map((leaf) => adjoints.get(leaf) ?? constant(0));
}

/** The derivative of one scalar call by its i-th argument, times g. */
function partial(node: Expr & { kind: "call" }, i: number, g: Expr): Expr {
  const [a, b] = node.args;
  switch (node.op) {
    case "neg":
      return neg(g);
    case "abs":
      return mul(g, signOf(a));
    case "exp":
      return mul(g, node);
    case "expm1":
      return mul(g, add(node, 1));
    case "log":
      return div(g, a);
    case "log1p":
      return div(g, add(a, 1));
    case "sqrt":
      return div(g, mul(2, node));
    case "rsqrt":
      return mul(g, mul(-0.5, mul(node, mul(node, node))));
    case "reciprocal":
      return neg(mul(g, mul(node, node)));
    case "sin":
      return mul(g, call("cos", a));
    case "cos":
      return neg(mul(g, call("sin", a)));
    case "tan":
      return mul(g, add(1, mul(node, node)));
    case "tanh":
      return mul(g, sub(1, mul(node, node)));
    case "sigmoid":
      return mul(g, mul(node, sub(1, node)));
    case "softplus":
      return mul(g, call("sigmoid", a));
    case "erf":
      return mul(g, mul(2 / Math.sqrt(Math.PI), call("exp", neg(mul(a, a)))));
    case "add":
      return g;
    case "sub":
      return i === 0 ? g : neg(g);
    case "mul":
      return mul(g, i === 0 ? b : a);
    case "div":
      return i === 0 ? div(g, b) : neg(mul(g, div(node, b)));
    case "pow":
      return mul(g, i === 0 ? powerRule(a, b) : exponentRule(node, a, b));
    case "remainder":
      return i === 0 ? g : neg(mul(g, call("floor", div(a, b))));
    case "max":
    case "min": {
      // Of two equal arguments each gets half; beside a NaN both get all, as in PyTorch.
      const [winner, loser] = i === 0 ? [a, b] : [b, a];
      const loses = node.op === "max" ? call("less", winner, loser) : call("less", loser, winner);
      return mul(g, call("where", call("equal", a, b), 0.5, call("equal", loses, 0)));
    }
    case "atan2": {
      const square = add(mul(a, a), mul(b, b));
      return i === 0 ? div(mul(g, b), square) : neg(div(mul(g, a), square));
    }
    case "where":
      if (i === 0) return constant(0);
      return i === 1 ? call("where", node.args[0], g, 0) : call("where", node.args[0], 0, g);
    default: // sign, floor, ceil, round, trunc, isNan, comparisons: flat
      return constant(0);
  }
}

function powerRule(a: Expr, b: Expr): Expr {
  if (isConstant(b, 2)) return mul(2, a);
  // x^0 is constant, also at x = 0 where 0·0^-1 would be NaN.
  return call("where", call("equal", b, 0), 0, mul(b, call("pow", a, sub(b, 1))));
}

function exponentRule(power: Expr, a: Expr, b: Expr): Expr {
  // 0^b is flat in b for b ≥ 0; log 0 would spoil it.
  const flat = mul(call("equal", a, 0), call("lessEqual", 0, b));
  return call("where", flat, 0, mul(power, call("log", a)));
}

function callsLastFirst(expr: Expr): Expr[] {
  const order: Expr[] = [];
  const seen = new Set<Expr>();
  const visit = (node: Expr): void => {
    if (node.kind !== "call" || seen.has(node)) return;
    seen.add(node);
    node.args.forEach(visit);
    order.push(node);
  };
  visit(expr);
  return order.reverse();
}

/** Which leaves of an expression are read, as positions of inputs. */
export function inputsOf(exprs: readonly Expr[]): Set<number> {
  const used = new Set<number>();
  for (const step of new Kernel(exprs, 0).code) if (step.kind === "input") used.add(step.index);
  return used;
}

function isConstant(x: ExprLike, value: number): boolean {
  return typeof x === "number" ? x === value : x.kind === "constant" && x.value === value;
}

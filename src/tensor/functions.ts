import { ArgumentError, ShapeError } from "../backend/errors.ts";
import { type arity, call, type Expr, type ExprLike, type ScalarOp } from "../backend/expr.ts";
import { broadcastShapes, normalizeAxis } from "../backend/shape.ts";
import { zeros } from "./create.ts";
import { Elementwise, type ElementwiseOptions, requireBool, type TensorLike } from "./ops/elementwise.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Tensors one after another along an axis.
 *
 * @throws {@link ShapeError} when other sizes differ.
 * @example
 * cat([ones([1, 2]), zeros([2, 2])]).shape; // => [3, 2]
 */
export function cat(tensors: readonly Tensor[], axis = 0): Tensor {
  const [first, ...others] = nonEmpty("cat", tensors);
  return first.cat(others, axis);
}

/** Tensors of one shape side by side along a new axis. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const list = nonEmpty("stack", tensors);
  for (const x of list) {
    if (x.shape.join() !== list[0].shape.join()) {
      throw new ShapeError("stack", `shapes differ: [${list[0].shape}] and [${x.shape}].`);
    }
  }
  return cat(
    list.map((x) => x.unsqueeze(axis)),
    normalizeAxis("stack", axis, list[0].rank + 1),
  );
}

/** `a` where the condition holds, `b` elsewhere. */
export function where(condition: Tensor, a: TensorLike, b: TensorLike): Tensor {
  if (typeof a !== "number") return a.where(condition, b);
  requireBool("where", condition);
  if (typeof b !== "number") return b.where(condition.logicalNot(), a);
  return zeros([], { device: condition.device }).add(b).maskedFill(condition, a);
}

/** Tensors stretched to their common shape. */
export function broadcastTensors(...tensors: readonly Tensor[]): Tensor[] {
  const shape = broadcastShapes(
    "broadcastTensors",
    nonEmpty("broadcastTensors", tensors).map((x) => x.shape),
  );
  return tensors.map((x) => x.expand(shape));
}

/**
 * A new elementwise function from a scalar expression: broadcast, differentiated and fused, at native speed.
 *
 * @param name - For error messages and the printed graph.
 * @param build - Makes the expression from one expression per argument, with the builders in `expr`.
 * @example
 * const sech = elementwise("sech", 1, (x) => expr.div(2, expr.add(expr.exp(x), expr.exp(expr.neg(x)))));
 * sech(zeros([1])).item(); // => 1
 */
export function elementwise(
  name: string,
  arity: number,
  build: (...args: readonly Expr[]) => ExprLike,
  options: ElementwiseOptions = {},
): (...args: readonly TensorLike[]) => Tensor {
  const fn = new Elementwise(name, arity, (args) => build(...args), options);
  return (...args) => fn.call(...args);
}

type WithArity<N extends number> = { [Op in ScalarOp]: (typeof arity)[Op] extends N ? Op : never }[ScalarOp];
type Unary = (a: ExprLike) => Expr;
type Binary = (a: ExprLike, b: ExprLike) => Expr;

const unary =
  (op: ScalarOp): Unary =>
  (a) =>
    call(op, a);
const binary =
  (op: ScalarOp): Binary =>
  (a, b) =>
    call(op, a, b);

/** Builders of scalar expressions for {@link elementwise}. */
export const expr: Readonly<
  Record<WithArity<1>, Unary> &
    Record<WithArity<2>, Binary> &
    Record<"where", (condition: ExprLike, a: ExprLike, b: ExprLike) => Expr>
> = {
  neg: unary("neg"),
  abs: unary("abs"),
  sign: unary("sign"),
  exp: unary("exp"),
  expm1: unary("expm1"),
  log: unary("log"),
  log1p: unary("log1p"),
  sqrt: unary("sqrt"),
  rsqrt: unary("rsqrt"),
  reciprocal: unary("reciprocal"),
  sin: unary("sin"),
  cos: unary("cos"),
  tan: unary("tan"),
  tanh: unary("tanh"),
  sigmoid: unary("sigmoid"),
  softplus: unary("softplus"),
  erf: unary("erf"),
  floor: unary("floor"),
  ceil: unary("ceil"),
  round: unary("round"),
  trunc: unary("trunc"),
  isNan: unary("isNan"),
  add: binary("add"),
  sub: binary("sub"),
  mul: binary("mul"),
  div: binary("div"),
  pow: binary("pow"),
  remainder: binary("remainder"),
  max: binary("max"),
  min: binary("min"),
  less: binary("less"),
  lessEqual: binary("lessEqual"),
  equal: binary("equal"),
  atan2: binary("atan2"),
  where: (condition: ExprLike, a: ExprLike, b: ExprLike): Expr => call("where", condition, a, b),
};

function nonEmpty(operation: string, tensors: readonly Tensor[]): readonly Tensor[] {
  if (tensors.length === 0) throw new ArgumentError(operation, "needs at least one tensor.");
  return tensors;
}

/**
 * Every elementwise operation, one line each: its scalar expression. Gradients are derived; where PyTorch's choice at a
 * kink is not the derived one, or a stabler form exists, a `derivative` stands beside it.
 */
import { call, type Expr } from "../../backend/expr.ts";
import { add, div, mul, neg, signOf, sub } from "./derivative.ts";
import { define } from "./elementwise.ts";

const unary = (op: Parameters<typeof call>[0], float = true) =>
  define(op, 1, ([x]) => call(op, x), float ? { result: "float" } : {});
const comparison = (name: string, build: (args: readonly Expr[]) => Expr) => define(name, 2, build, { result: "bool" });
const not = (x: Expr) => call("equal", x, 0);

export const scalars = {
  add: define("add", 2, ([a, b]) => call("add", a, b)),
  sub: define("sub", 2, ([a, b]) => call("sub", a, b)),
  mul: define("mul", 2, ([a, b]) => call("mul", a, b)),
  div: define("div", 2, ([a, b]) => call("div", a, b), { result: "float" }),
  pow: define("pow", 2, ([a, b]) => call("pow", a, b)),
  remainder: define("remainder", 2, ([a, b]) => call("remainder", a, b)),
  floorDivide: define("floorDivide", 2, ([a, b]) => floorQuotient(a, b), { derivative: () => [0, 0] }),
  maximum: define("maximum", 2, ([a, b]) => call("max", a, b)),
  minimum: define("minimum", 2, ([a, b]) => call("min", a, b)),
  atan2: define("atan2", 2, ([a, b]) => call("atan2", a, b), { result: "float" }),
  addScaled: define("addScaled", 3, ([a, b, s]) => call("add", a, call("mul", b, s))),
  lerp: define("lerp", 3, ([a, b, t]) => add(a, mul(t, sub(b, a)))),

  neg: unary("neg", false),
  abs: unary("abs", false),
  sign: define("sign", 1, ([x]) => signOf(x)),
  floor: unary("floor", false),
  ceil: unary("ceil", false),
  round: unary("round", false),
  trunc: unary("trunc", false),
  square: define("square", 1, ([x]) => mul(x, x)),
  exp: unary("exp"),
  expm1: unary("expm1"),
  log: unary("log"),
  log1p: unary("log1p"),
  log2: define("log2", 1, ([x]) => mul(call("log", x), Math.LOG2E), { result: "float" }),
  log10: define("log10", 1, ([x]) => mul(call("log", x), Math.LOG10E), { result: "float" }),
  sqrt: unary("sqrt"),
  rsqrt: unary("rsqrt"),
  reciprocal: unary("reciprocal"),
  sin: unary("sin"),
  cos: unary("cos"),
  tan: unary("tan"),
  tanh: unary("tanh"),
  sigmoid: unary("sigmoid"),
  erf: unary("erf"),

  relu: define("relu", 1, ([x]) => call("max", x, 0), {
    derivative: ([x], g) => [call("where", call("lessEqual", call("max", x, 0), 0), 0, g)],
  }),
  addRelu: define("addRelu", 2, ([a, b]) => call("max", call("add", a, b), 0), {
    derivative: ([a, b], g) => {
      const open = call("where", call("lessEqual", call("max", call("add", a, b), 0), 0), 0, g);
      return [open, open];
    },
  }),
  leakyRelu: define("leakyRelu", 2, ([x, slope]) => call("where", call("less", 0, x), x, mul(slope, x))),
  elu: define("elu", 2, ([x, alpha]) => call("where", call("less", 0, x), x, mul(alpha, call("expm1", x))), {
    derivative: ([x, alpha], g) => [
      call("where", call("less", 0, x), g, mul(g, mul(alpha, call("exp", call("min", x, 0))))),
      call("where", call("less", 0, x), 0, mul(g, call("expm1", x))),
    ],
  }),
  gelu: define("gelu", 1, ([x]) => mul(x, normalCdf(x)), { result: "float" }),
  silu: define("silu", 1, ([x]) => mul(x, call("sigmoid", x)), { result: "float" }),
  softplus: define("softplus", 2, ([x, beta]) => div(call("softplus", mul(beta, x)), beta), { result: "float" }),
  mish: define("mish", 1, ([x]) => mul(x, call("tanh", call("softplus", x))), { result: "float" }),
  logSigmoid: define("logSigmoid", 1, ([x]) => neg(call("softplus", neg(x))), { result: "float" }),
  hardtanh: define("hardtanh", 3, ([x, low, high]) => call("min", call("max", x, low), high), {
    derivative: ([x, low, high], g) => [mul(g, call("mul", call("less", low, x), call("less", x, high))), 0, 0],
  }),

  clamp: define("clamp", 3, ([x, low, high]) => call("min", call("max", x, low), high), {
    derivative: ([x, low, high], g) => [
      call("where", call("mul", call("lessEqual", low, x), call("lessEqual", x, high)), g, 0),
      call("where", call("mul", call("less", x, low), call("less", low, high)), g, 0),
      call("where", call("less", high, call("max", x, low)), g, 0),
    ],
  }),
  where: define("where", 3, ([condition, a, b]) => call("where", condition, a, b)),

  eq: comparison("eq", ([a, b]) => call("equal", a, b)),
  ne: comparison("ne", ([a, b]) => not(call("equal", a, b))),
  lt: comparison("lt", ([a, b]) => call("less", a, b)),
  le: comparison("le", ([a, b]) => call("lessEqual", a, b)),
  gt: comparison("gt", ([a, b]) => call("less", b, a)),
  ge: comparison("ge", ([a, b]) => call("lessEqual", b, a)),
  logicalAnd: comparison("logicalAnd", ([a, b]) => call("mul", not(not(a)), not(not(b)))),
  logicalOr: comparison("logicalOr", ([a, b]) => call("max", not(not(a)), not(not(b)))),
  logicalXor: comparison("logicalXor", ([a, b]) => not(call("equal", not(a), not(b)))),
  logicalNot: define("logicalNot", 1, ([a]) => not(a), { result: "bool" }),
  isNan: define("isNan", 1, ([x]) => call("isNan", x), { result: "bool" }),
  isFinite: define("isFinite", 1, ([x]) => call("less", call("abs", x), Number.POSITIVE_INFINITY), { result: "bool" }),
  isInf: define("isInf", 1, ([x]) => call("equal", call("abs", x), Number.POSITIVE_INFINITY), { result: "bool" }),
} as const;

/** ⌊a/b⌋ by way of the rest, so that it fits `remainder` also where a/b would round up to a whole number. */
function floorQuotient(a: Expr, b: Expr): Expr {
  const exact = call("div", call("sub", a, call("remainder", a, b)), b);
  return call("where", call("equal", b, 0), call("div", a, b), call("round", exact));
}

/** Φ(x), the share of a standard normal below x. */
function normalCdf(x: Expr): Expr {
  return mul(0.5, add(1, call("erf", mul(x, Math.SQRT1_2))));
}

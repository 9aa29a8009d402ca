import type { ScalarOp } from "../expr.ts";
import { erf } from "./erf.ts";

/** What each scalar operation computes; operations of fewer arguments ignore the rest. */
export const functions: Readonly<Record<ScalarOp, (a: number, b: number, c: number) => number>> = {
  neg: (a) => -a,
  abs: Math.abs,
  sign: Math.sign,
  exp: Math.exp,
  expm1: Math.expm1,
  log: Math.log,
  log1p: Math.log1p,
  sqrt: Math.sqrt,
  rsqrt: (a) => 1 / Math.sqrt(a),
  reciprocal: (a) => 1 / a,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  tanh: Math.tanh,
  sigmoid,
  softplus: (a) => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a))),
  erf,
  floor: Math.floor,
  ceil: Math.ceil,
  round: roundHalfToEven,
  trunc: Math.trunc,
  isNan: (a) => (Number.isNaN(a) ? 1 : 0),
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  pow,
  remainder,
  max: (a, b) => Math.max(a, b),
  min: (a, b) => Math.min(a, b),
  less: (a, b) => (a < b ? 1 : 0),
  lessEqual: (a, b) => (a <= b ? 1 : 0),
  equal: (a, b) => (a === b ? 1 : 0),
  atan2: (a, b) => Math.atan2(a, b),
  where: (a, b, c) => (a !== 0 ? b : c),
};

/** Source text of the operations that are one JavaScript expression; the others are called by name. */
export const inlined: Readonly<Partial<Record<ScalarOp, (a: string, b: string, c: string) => string>>> = {
  neg: (a) => `-${a}`,
  abs: (a) => `Math.abs(${a})`,
  exp: (a) => `Math.exp(${a})`,
  log: (a) => `Math.log(${a})`,
  sqrt: (a) => `Math.sqrt(${a})`,
  rsqrt: (a) => `1 / Math.sqrt(${a})`,
  reciprocal: (a) => `1 / ${a}`,
  floor: (a) => `Math.floor(${a})`,
  add: (a, b) => `${a} + ${b}`,
  sub: (a, b) => `${a} - ${b}`,
  mul: (a, b) => `${a} * ${b}`,
  div: (a, b) => `${a} / ${b}`,
  max: (a, b) => `Math.max(${a}, ${b})`,
  min: (a, b) => `Math.min(${a}, ${b})`,
  less: (a, b) => `${a} < ${b} ? 1 : 0`,
  lessEqual: (a, b) => `${a} <= ${b} ? 1 : 0`,
  equal: (a, b) => `${a} === ${b} ? 1 : 0`,
  where: (a, b, c) => `${a} !== 0 ? ${b} : ${c}`,
};

function sigmoid(a: number): number {
  if (a >= 0) return 1 / (1 + Math.exp(-a));
  const e = Math.exp(a);
  return e / (1 + e);
}

/** Adding 2^52 leaves no bits for a fraction, and the addition rounds to even. */
function roundHalfToEven(a: number): number {
  const magnitude = Math.abs(a);
  if (!(magnitude < 4503599627370496)) return a;
  const rounded = magnitude + 4503599627370496 - 4503599627370496;
  return a < 0 || Object.is(a, -0) ? -rounded : rounded;
}

/** C's pow: 1 to any power is 1, and so is (−1)^±∞, where JavaScript says NaN. */
function pow(a: number, b: number): number {
  if (a === 1 || (a === -1 && Math.abs(b) === Infinity)) return 1;
  return a ** b;
}

function remainder(a: number, b: number): number {
  const r = a % b;
  return r !== 0 && r < 0 !== b < 0 ? r + b : r;
}

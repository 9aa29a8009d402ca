import { expect, test } from "vitest";
import { arity, call, input, Kernel, type ScalarOp } from "../expr.ts";
import { compileNest } from "./compile.ts";
import { functions, inlined } from "./scalar.ts";

const specials = [
  0,
  -0,
  1,
  -1,
  0.5,
  1.5,
  2.5,
  -0.5,
  -1.5,
  -2.5,
  3,
  -3,
  1e300,
  -745,
  40,
  Infinity,
  -Infinity,
  Number.NaN,
];
const f = (op: ScalarOp, a: number, b = 0, c = 0): number => functions[op](a, b, c);

test("inlined text computes what the function computes", () => {
  for (const op of Object.keys(inlined).filter((name): name is ScalarOp => name in functions)) {
    const kernel = new Kernel([call(op, ...[0, 1, 2].slice(0, arity[op]).map(input))], 3);
    const nest = compileNest({
      kernel,
      dtypes: ["float64", "float64", "float64", "float64"],
      innerStrides: [1, 1, 1, 1],
    });
    for (const a of specials) {
      for (const b of specials) {
        const data = [a, b, 7, 0].map((value) => Float64Array.of(value));
        nest(data, [0, 0, 0, 0], new Array(12).fill(1), [1, 1, 1], [], new Float64Array(0));
        expect([op, a, b, data[3][0]]).toEqual([op, a, b, f(op, a, b, 7)]);
      }
    }
  }
});

test("round goes half to even", () => {
  const values = [
    0.5,
    1.5,
    2.5,
    -0.5,
    -1.5,
    -2.5,
    0.49999999999999994,
    2 ** 52 + 1,
    -(2 ** 53),
    1e300,
    4503599627370495.5,
  ];
  expect(values.map((value) => f("round", value))).toEqual([
    0,
    2,
    2,
    -0,
    -2,
    -2,
    0,
    2 ** 52 + 1,
    -(2 ** 53),
    1e300,
    4503599627370496,
  ]);
  expect(f("round", Number.NaN)).toBeNaN();
  expect(f("round", -Infinity)).toBe(-Infinity);
});

test("erf agrees with known values to 1e-15", () => {
  // Abramowitz and Stegun, table 7.1, and further digits
  const known: [number, number][] = [
    [0.001, 0.0011283787909692363],
    [0.1, 0.1124629160182849],
    [0.5, 0.5204998778130465],
    [1, 0.8427007929497149],
    [2, 0.9953222650189527],
    [3, 0.9999779095030014],
    [5, 0.9999999999984626],
  ];
  for (const [value, expected] of known) {
    expect(Math.abs(f("erf", value) - expected)).toBeLessThanOrEqual(1.2e-16 + 1e-15 * expected);
    expect(f("erf", -value)).toBe(-f("erf", value));
  }
  expect([f("erf", 0), f("erf", 30), f("erf", -Infinity), f("erf", Number.NaN)]).toEqual([0, 1, -1, Number.NaN]);
});

test("erf grows without steps between its polynomials", () => {
  const h = 1e-4;
  for (let value = -6.2; value < 6.2; value += 0.01) {
    const slope = (f("erf", value + h) - f("erf", value - h)) / (2 * h);
    expect(slope).toBeCloseTo((2 / Math.sqrt(Math.PI)) * Math.exp(-value * value), 7);
  }
});

test("sigmoid and softplus are stable at both ends", () => {
  expect([f("sigmoid", -800), f("sigmoid", 800), f("sigmoid", 0)]).toEqual([0, 1, 0.5]);
  expect(f("sigmoid", -700)).toBeCloseTo(Math.exp(-700), 320);
  expect([f("softplus", -800), f("softplus", 800)]).toEqual([0, 800]);
  expect(f("softplus", -40)).toBeCloseTo(Math.exp(-40), 30);
  expect([f("sigmoid", Number.NaN), f("softplus", Number.NaN)]).toEqual([Number.NaN, Number.NaN]);
});

test("remainder has the sign of the divisor", () => {
  expect([f("remainder", 7, 3), f("remainder", -7, 3), f("remainder", 7, -3), f("remainder", -7, -3)]).toEqual([
    1, 2, -2, -1,
  ]);
  expect([f("remainder", -1, Infinity), f("remainder", 1, 0)]).toEqual([Infinity, Number.NaN]);
});

test("NaN is kept by sign, max and min; powers of one are one", () => {
  expect([f("sign", Number.NaN), f("max", 1, Number.NaN), f("min", Number.NaN, 1)]).toEqual([
    Number.NaN,
    Number.NaN,
    Number.NaN,
  ]);
  expect([f("pow", 1, Number.NaN), f("pow", -1, Infinity), f("pow", -8, 1 / 3)]).toEqual([1, 1, Number.NaN]);
});

import { describe, expect, it } from "vitest";
import { Choices, js, missing, native } from "../../../test/native/oracle.ts";
import type { View } from "../backend.ts";
import { arity, call, constant, type Expr, input, Kernel, type ScalarOp, scalar } from "../expr.ts";

/** What has an instruction; a kernel of such operations becomes machine code once it has done a million of them. */
const operations = "neg abs sqrt rsqrt reciprocal add sub mul div max min less lessEqual equal where"
  .split(" ")
  .filter((name): name is ScalarOp => name in arity);
const MUCH = 1 << 18;
const special = [0, -0, 1, -1, Infinity, -Infinity, Number.NaN, 1e-40, 3e38, 2];

function packed(length: number, value: (i: number) => number): View {
  const storage = native.allocate(length * 4);
  const data = storage.elements("float32");
  for (let i = 0; i < length; i++) data[i] = value(i);
  return { storage, shape: [length], strides: [1], offset: 0, dtype: "float32" };
}

/** One value for all elements, of an array with that many. */
function repeated(value: number, length: number): View {
  return { ...packed(1, () => value), shape: [length], strides: [0] };
}

function elements({ storage, shape }: View): number[] {
  return Array.from(storage.elements("float32").subarray(0, shape[0]));
}

interface Case {
  readonly kernel: Kernel;
  /** Which inputs are one value for all elements. */
  readonly uniform: readonly boolean[];
  readonly scalars: readonly number[];
  /** Whether the results overwrite the first inputs. */
  readonly inPlace: boolean;
}

function run({ kernel, uniform, scalars, inPlace }: Case, length: number, seed: number): number[][] {
  const choices = new Choices(seed);
  const value = (i = 0): number =>
    length === MUCH
      ? i % 7
      : choices.chance(0.2)
        ? choices.pick(special)
        : (choices.next() * 2 - 1) * choices.pick([1, 100, 1e10]);
  const inputs = uniform.map((isUniform) => (isUniform ? repeated(value(), length) : packed(length, value)));
  const outputs = kernel.results.map((_, i) => (inPlace ? inputs[i] : packed(length, () => 7)));
  native.map(kernel, inputs, outputs, scalars);
  return outputs.map(elements);
}

function expectSameBits(actual: readonly number[][], expected: readonly number[][], what: string): void {
  for (let k = 0; k < expected.length; k++) {
    for (let i = 0; i < expected[k].length; i++) {
      if (!Object.is(actual[k][i], expected[k][i])) {
        expect.fail(`${what}: element ${i} of result ${k} is ${actual[k][i]}, was ${expected[k][i]} step by step`);
      }
    }
  }
}

/** The same numbers step by step and as machine code, for all kinds of ends. */
function check(one: Case, what: string): void {
  const lengths = [1, 15, 16, 17, 1003, 2048];
  const before = lengths.map((length) => run(one, length, length));
  for (let i = 0; i < 4; i++) run(one, MUCH, i);
  lengths.forEach((length, i) => {
    expectSameBits(run(one, length, length), before[i], `${what}, ${length} elements`);
  });
}

function randomExpr(choices: Choices, inputs: number, depth: number): Expr {
  if (depth === 0 || choices.chance(0.1)) {
    return choices.pick([...Array.from({ length: inputs }, (_, i) => input(i)), scalar(0), constant(0.5)]);
  }
  const op = choices.pick(operations);
  return call(op, ...Array.from({ length: arity[op] }, () => randomExpr(choices, inputs, depth - 1)));
}

describe.skipIf(missing !== undefined)("kernels as machine code", () => {
  it.each(operations)("%s gives the same bits", (op) => {
    const count = arity[op];
    const expression = call("mul", call(op, ...Array.from({ length: count }, (_, i) => input(i))), input(count));
    const kernel = new Kernel([expression], count + 1);
    for (let at = -1; at <= count; at++) {
      const uniform = Array.from({ length: count + 1 }, (_, i) => i === at);
      check({ kernel, uniform, scalars: [], inPlace: false }, `${op}, input ${at} repeated`);
    }
  });

  it("products joined with sums give the same bits", () => {
    const product = call("mul", input(0), input(1));
    const both = [call("add", product, input(2)), call("sub", product, input(2)), call("sub", input(2), product)];
    for (const [i, expression] of both.entries()) {
      const kernel = new Kernel([call("abs", expression)], 3);
      for (const at of [-1, 0, 1, 2]) {
        check({ kernel, uniform: [at === 0, at === 1, at === 2], scalars: [], inPlace: false }, `form ${i}, ${at}`);
      }
    }
  });

  it("random kernels with several results, in place and not, give the same bits", () => {
    for (let seed = 0; seed < 60; seed++) {
      const choices = new Choices(seed);
      const count = choices.integer(2, 6);
      const results = Array.from({ length: choices.integer(1, 2) }, () =>
        call("add", randomExpr(choices, count, choices.integer(1, 4)), input(0)),
      );
      if (results.length === 2 && results[0] === results[1]) continue;
      const inPlace = choices.chance(0.4);
      const uniform = Array.from({ length: count }, (_, i) => !(inPlace && i < 2) && choices.chance(0.2));
      check({ kernel: new Kernel(results, count, 1), uniform, scalars: [1.5], inPlace }, `seed ${seed}`);
    }
  });

  it("a kernel with more values than there are registers still works", () => {
    const inputs = Array.from({ length: 12 }, (_, i) => input(i));
    const sums = inputs.map((x) => call("add", x, 1));
    const total = sums.reduce((a, b) => call("mul", a, b));
    const kernel = new Kernel([sums.reduce((a, b) => call("max", a, b), total)], inputs.length);
    check({ kernel, uniform: inputs.map(() => false), scalars: [], inPlace: false }, "twelve inputs");
  });

  it("agrees with js", () => {
    const kernel = new Kernel([call("div", input(0), call("add", call("sqrt", call("abs", input(1))), 1))], 2);
    for (let i = 0; i < 6; i++) run({ kernel, uniform: [false, false], scalars: [], inPlace: false }, MUCH, i);
    const inputs = [packed(1000, (i) => i - 500), packed(1000, (i) => i * i)];
    const [actual, expected] = [packed(1000, () => 0), packed(1000, () => 0)];
    native.map(kernel, inputs, [actual], []);
    js.map(kernel, inputs, [expected], []);
    elements(expected).forEach((value, i) => {
      expect(Math.abs(elements(actual)[i] - value)).toBeLessThanOrEqual(1e-6 * Math.abs(value));
    });
  });
});

import { describe, expect, it } from "vitest";
import {
  broadcastView,
  type Choices,
  denseView,
  expectAllSame,
  expectSame,
  forSeeds,
  js,
  missing,
  native,
  randomView,
  twin,
} from "../../../test/native/oracle.ts";
import type { View } from "../backend.ts";
import { type DType, dtypes } from "../dtype.ts";
import { arity, call, constant, type Expr, input, Kernel, type ScalarOp, scalar } from "../expr.ts";
import { contiguousStrides, sizeOf } from "../shape.ts";
import { setThreadCount } from "./native.ts";

const operations = Object.keys(arity).filter((name): name is ScalarOp => name in arity);
const allDTypes = Object.keys(dtypes).filter((name): name is DType => name in dtypes);

/** Arguments of all magnitudes, of both signs, and the special ones. */
function argument(choices: Choices, op: ScalarOp): number {
  if (choices.chance(0.05)) return choices.pick([0, -0, 1, -1, Infinity, -Infinity, Number.NaN, 88, -88, 3e38]);
  const scale = choices.pick(op === "sin" || op === "cos" || op === "tan" ? [1, 10, 1000, 1e7] : [1, 10, 100, 1e10]);
  return (choices.next() * 2 - 1) * scale;
}

function both(kernel: Kernel, inputs: readonly View[], outputs: readonly View[], scalars: readonly number[]): View[] {
  const expected = outputs.map(twin);
  js.map(kernel, inputs, expected, scalars);
  native.map(kernel, inputs, outputs, scalars);
  return expected;
}

describe.skipIf(missing !== undefined)("native map", () => {
  it.each(operations)("%s agrees with js on float32 and float64, as block, broadcast and scalar", (op) => {
    const arguments_ = Array.from({ length: arity[op] }, (_, i) => input(i));
    const whole = new Kernel([call(op, ...arguments_)], arity[op]);
    const tolerance = op === "pow" || op === "tan" ? 4e-6 : 1e-6;
    forSeeds(60, (choices) => {
      const dtype = choices.pick(["float32", "float64"] as const);
      const shape = choices.shape();
      const inputs = arguments_.map(() => broadcastView(choices, shape, dtype, () => argument(choices, op)));
      const out = denseView(choices, shape, dtype, () => 7);
      const [expected] = both(whole, inputs, [out], []);
      // Tangents near their poles, and sums that cancel inside tan, magnify the last bit.
      expectSame(out, expected, tolerance, op === "sin" || op === "cos" ? 1e-3 : 0);
    });
    if (arity[op] === 1) return;
    for (let at = 0; at < arity[op]; at++) {
      const mixed = arguments_.map((x, i) => (i === at ? scalar(0) : x));
      const kernel = new Kernel([call(op, ...mixed)], arity[op], 1);
      forSeeds(10, (choices) => {
        const shape = choices.shape();
        const inputs = arguments_.map(() => broadcastView(choices, shape, "float32", () => argument(choices, op)));
        const out = denseView(choices, shape, "float32", () => 7);
        const value = Math.fround(choices.pick([2, 3, 0.5, -1, 0, 1, argument(choices, op)]));
        const [expected] = both(kernel, inputs, [out], [value]);
        expectSame(out, expected, tolerance);
      });
    }
  });

  it("converts between all dtypes as js does", () => {
    const kernel = new Kernel([input(0)], 1);
    for (const from of allDTypes) {
      for (const to of allDTypes) {
        forSeeds(12, (choices) => {
          const shape = choices.shape();
          const value = (): number =>
            choices.chance(0.1)
              ? choices.pick([Number.NaN, Infinity, -Infinity, -0, 65519, 65520, 6e-8, -3e9, 2.5, 1e-40])
              : (choices.next() * 2 - 1) * choices.pick([1, 300, 1e5, 1e12]);
          const x = broadcastView(choices, shape, from, value);
          const out = denseView(choices, shape, to, () => 3);
          const [expected] = both(kernel, [x], [out], []);
          expectSame(out, expected);
        });
      }
    }
  });

  it("runs random kernels with several outputs exactly on whole numbers", () => {
    forSeeds(300, (choices) => {
      const inputCount = choices.integer(1, 4);
      const kernel = randomKernel(choices, inputCount);
      const shape = choices.shape();
      const dtype = choices.pick(["float32", "float64", "int32", "float32"] as const);
      const whole = (): number => choices.integer(-9, 9);
      const inputs = Array.from({ length: inputCount }, () => broadcastView(choices, shape, dtype, whole));
      const outputs = kernel.results.map(() => denseView(choices, shape, dtype, whole));
      const expected = both(kernel, inputs, outputs, [3, -2]);
      expectAllSame(outputs, expected);
    });
  });

  it("may overwrite its inputs", () => {
    forSeeds(200, (choices) => {
      const count = choices.integer(1, 3);
      const kernel = randomKernel(choices, count, count);
      const shape = choices.shape(3);
      const views = Array.from({ length: count }, () =>
        denseView(choices, shape, "float32", () => choices.integer(-9, 9)),
      );
      const copies = views.map(twin);
      const frozen = views.map(twin);
      js.map(kernel, frozen, copies, [3, -2]);
      native.map(kernel, views, views, [3, -2]);
      expectAllSame(views, copies);
    });
  });

  it("computes int32 exactly and wraps like typed arrays", () => {
    const kernel = new Kernel([call("add", input(0), input(1)), call("mul", input(0), constant(3))], 2);
    forSeeds(40, (choices) => {
      const shape = choices.shape();
      const big = (): number => choices.integer(-(2 ** 31), 2 ** 31 - 1);
      const inputs = [randomView(choices, shape, "int32", big), randomView(choices, shape, "int32", big)];
      const outputs = [denseView(choices, shape, "int32", big), denseView(choices, shape, "uint8", big)];
      const expected = both(kernel, inputs, outputs, []);
      expectAllSame(outputs, expected);
    });
  });

  it("does big and transposed arrays on any number of threads alike", () => {
    const kernel = new Kernel([call("add", call("mul", input(0), input(1)), constant(1))], 2);
    const whole = (): number => Math.floor(Math.random() * 100);
    const view = (shape: readonly number[], strides: readonly number[]): View => {
      const storage = native.allocate(sizeOf(shape) * 4);
      const data = storage.elements("float32").fill(0);
      for (let i = 0; i < sizeOf(shape); i++) data[i] = whole();
      return { storage, shape, strides, offset: 0, dtype: "float32" };
    };
    for (const shape of [[700, 900], [8, 3, 211, 97], [1_000_003]]) {
      const back = contiguousStrides([...shape].reverse()).reverse();
      const inputs = [view(shape, contiguousStrides(shape)), view(shape, back)];
      const expected = view(shape, contiguousStrides(shape));
      js.map(kernel, inputs, [expected], []);
      for (const threads of [1, 2, 3]) {
        setThreadCount(threads);
        const out = view(shape, contiguousStrides(shape));
        native.map(kernel, inputs, [out], []);
        expectSame(out, expected);
      }
      setThreadCount(2);
    }
  });

  it("runs many sets in one call", () => {
    forSeeds(60, (choices) => {
      const kernel = randomKernel(choices, 2, 2);
      const shapes = Array.from({ length: choices.integer(0, 40) }, () => choices.shape(3));
      const whole = (): number => choices.integer(-9, 9);
      const sets = shapes.map((shape) => [
        denseView(choices, shape, "float32", whole),
        denseView(choices, shape, "float32", whole),
      ]);
      const expected = sets.map((set) => set.map(twin));
      js.mapEach(
        kernel,
        sets.map((set) => set.map(twin)),
        expected,
        [3, -2],
      );
      native.mapEach(kernel, sets, sets, [3, -2]);
      expectAllSame(sets.flat(), expected.flat());
    });
  });

  it("leaves views of very many axes to js", () => {
    const shape = new Array<number>(20).fill(1).map((_, i) => (i % 7 === 0 ? 2 : 1));
    const storage = native.allocate(4 * sizeOf(shape));
    const out: View = { storage, shape, strides: contiguousStrides(shape), offset: 0, dtype: "float32" };
    native.map(new Kernel([constant(5)], 0), [], [out], []);
    expect(Array.from(storage.elements("float32").slice(0, 8))).toEqual(new Array(8).fill(5));
  });
});

/** A kernel of operations that are exact on small whole numbers. */
function randomKernel(choices: Choices, inputCount: number, outputCount: number = choices.integer(1, 3)): Kernel {
  const exact = ["add", "sub", "max", "min", "less", "equal", "where", "neg", "abs", "sign", "mul"] as const;
  const nodes: Expr[] = Array.from({ length: inputCount }, (_, i) => input(i));
  nodes.push(constant(2), scalar(0), scalar(1));
  for (let i = choices.integer(1, 14); i > 0; i--) {
    const op = choices.pick(exact);
    const clipped = (x: Expr): Expr => (op === "mul" ? call("max", constant(-9), call("min", constant(9), x)) : x);
    nodes.push(call(op, ...Array.from({ length: arity[op] }, () => clipped(choices.pick(nodes)))));
  }
  return new Kernel(
    Array.from({ length: outputCount }, () => choices.pick(nodes)),
    inputCount,
    2,
  );
}

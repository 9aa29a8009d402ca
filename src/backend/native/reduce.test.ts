import { describe, expect, it } from "vitest";
import {
  broadcastView,
  type Choices,
  denseView,
  expectSame,
  forSeeds,
  js,
  memoryOf,
  missing,
  native,
  randomView,
  twin,
} from "../../../test/native/oracle.ts";
import type { ReduceKind, View } from "../backend.ts";
import type { DType } from "../dtype.ts";
import { call, constant, input, Kernel, scalar } from "../expr.ts";
import { contiguousStrides, sizeOf, stridesInOrder } from "../shape.ts";
import { setThreadCount } from "./native.ts";

const identity = new Kernel([input(0)], 1);
const affine = new Kernel([call("add", call("mul", input(0), input(1)), scalar(0))], 2, 1);
const nothing = new Kernel([constant(3)], 0);

/** Some of the axes become 1. */
function reducedShape(choices: Choices, shape: readonly number[]): number[] {
  return shape.map((size) => (choices.chance(0.5) ? 1 : size));
}

function check(
  kind: ReduceKind,
  kernel: Kernel,
  inputs: readonly View[],
  shape: readonly number[],
  out: View,
  scalars: readonly number[],
  tolerance = 0,
  scale = 0,
): void {
  const expected = twin(out);
  js.reduce(kind, kernel, inputs, shape, expected, scalars);
  native.reduce(kind, kernel, inputs, shape, out, scalars);
  expectSame(out, expected, tolerance, scale);
}

describe.skipIf(missing !== undefined)("native reduce", () => {
  it("agrees with js for random shapes, strides, broadcasts and axes, exactly on whole numbers", () => {
    forSeeds(400, (choices) => {
      const shape = choices.shape();
      const kind = choices.pick(["sum", "max", "min"] as const);
      if (kind !== "sum" && sizeOf(shape) === 0) return;
      const dtype = choices.pick(["float32", "float64", "int32", "uint8", "bool"] as const);
      const to: DType = kind === "sum" && (dtype === "uint8" || dtype === "bool") ? "int32" : dtype;
      const whole = (): number => choices.integer(dtype === "uint8" ? 0 : -5, 5);
      const kernel = choices.pick([identity, affine, nothing]);
      const inputs = Array.from({ length: kernel.inputCount }, () => broadcastView(choices, shape, dtype, whole));
      const out = denseView(choices, reducedShape(choices, shape), to, whole);
      check(kind, kernel, inputs, shape, out, [2]);
    });
  });

  it("multiplies, and sums real numbers, closely", () => {
    forSeeds(200, (choices) => {
      const shape = choices.shape();
      const kind = choices.pick(["sum", "prod"] as const);
      const dtype = choices.pick(["float32", "float16", "bfloat16", "float64"] as const);
      const value = (): number => (kind === "prod" ? 1 + (choices.next() - 0.5) / 8 : choices.next() * 2 - 1);
      const x = broadcastView(choices, shape, dtype, value);
      const out = denseView(choices, reducedShape(choices, shape), dtype, value);
      check(kind, identity, [x], shape, out, [], 1e-5, kind === "sum" ? 10 : 0);
    });
  });

  it("lets NaN win in max and min, and finds infinities", () => {
    for (const kind of ["max", "min"] as const) {
      forSeeds(100, (choices) => {
        const shape = choices.shape(3);
        if (sizeOf(shape) === 0) return;
        const value = (): number =>
          choices.pick([1, 2, 3, Infinity, -Infinity, ...(choices.chance(0.05) ? [Number.NaN] : [])]);
        const x = randomView(choices, shape, "float32", value);
        check(
          kind,
          identity,
          [x],
          shape,
          denseView(choices, reducedShape(choices, shape), "float32", () => 0),
          [],
        );
      });
    }
  });

  it("sums and multiplies nothing to 0 and 1", () => {
    const storage = native.allocate(64);
    const x: View = { storage, shape: [3, 0], strides: [0, 1], offset: 0, dtype: "float32" };
    for (const [kind, result] of [
      ["sum", 0],
      ["prod", 1],
    ] as const) {
      const out: View = { storage: native.allocate(64), shape: [3, 1], strides: [1, 1], offset: 0, dtype: "float32" };
      native.reduce(kind, identity, [x], [3, 0], out, []);
      expect(memoryOf(out).slice(0, 3)).toEqual([result, result, result]);
    }
  });

  const layouts: readonly (readonly [string, readonly number[], readonly number[], readonly number[]])[] = [
    ["rows", [300, 1000], [0, 1], [300, 1]],
    ["columns", [1000, 300], [0, 1], [1, 300]],
    ["narrow columns", [20000, 10], [0, 1], [1, 10]],
    ["two columns", [40000, 2], [0, 1], [1, 2]],
    ["wide columns", [40, 5000], [0, 1], [1, 5000]],
    ["everything", [17, 70001], [0, 1], [1, 1]],
    ["channels of a contiguous image", [8, 16, 30, 31], [0, 1, 2, 3], [1, 16, 1, 1]],
    ["channels of a channels-last image", [8, 16, 30, 31], [0, 2, 3, 1], [1, 16, 1, 1]],
    ["the middle", [30, 500, 40], [0, 1, 2], [30, 1, 40]],
    ["a transposed matrix's rows", [700, 300], [1, 0], [700, 1]],
  ];

  it.each(layouts)("sums %s closely, with the same bits for any number of threads", (_, shape, order, outShape) => {
    const strides = stridesInOrder(shape, order);
    const x: View = { storage: native.allocate(sizeOf(shape) * 4), shape, strides, offset: 0, dtype: "float32" };
    js.random("normal", { seed: 5, stream: 0, counter: 0 }, { ...x, strides: contiguousStrides(shape) }, 1, 1);
    const make = (): View => {
      const storage = native.allocate(sizeOf(outShape) * 4);
      storage.elements("float32").fill(0);
      return { storage, shape: outShape, strides: contiguousStrides(outShape), offset: 0, dtype: "float32" };
    };
    const expected = make();
    js.reduce("sum", identity, [x], shape, expected, []);
    const results = [1, 2, 3].map((threads) => {
      setThreadCount(threads);
      const out = make();
      native.reduce("sum", identity, [x], shape, out, []);
      return out;
    });
    setThreadCount(2);
    expectSame(results[0], expected, 1e-6, 1);
    expectSame(results[1], results[0]);
    expectSame(results[2], results[0]);
  });

  it("finds positions as js does", () => {
    forSeeds(200, (choices) => {
      const shape = choices.shape().map((size) => Math.max(size, 1));
      if (shape.length === 0) return;
      const axis = choices.integer(0, shape.length - 1);
      const dtype = choices.pick(["float32", "float64", "int32", "uint8", "float16", "bfloat16", "bool"] as const);
      const value = (): number => (choices.chance(0.02) && dtype !== "int32" ? Number.NaN : choices.integer(0, 5));
      const x = randomView(choices, shape, dtype, value);
      const out = denseView(
        choices,
        shape.map((size, i) => (i === axis ? 1 : size)),
        "int32",
        () => 9,
      );
      const expected = twin(out);
      const kind = choices.pick(["max", "min"] as const);
      js.argReduce(kind, x, axis, expected);
      native.argReduce(kind, x, axis, out);
      expectSame(out, expected);
    });
  });
});

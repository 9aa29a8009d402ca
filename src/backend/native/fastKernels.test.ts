import { describe, expect, it } from "vitest";
import {
  type Choices,
  denseView,
  expectSame,
  forSeeds,
  memoryOf,
  missing,
  native,
  randomView,
  twin,
} from "../../../test/native/oracle.ts";
import type { View } from "../backend.ts";
import { IndexError } from "../errors.ts";
import { matmul as jsMatmul } from "../js/matmul.ts";
import { contiguousStrides, sizeOf } from "../shape.ts";
import { setThreadCount } from "./native.ts";

const fast = native.fast;

function view(shape: readonly number[], values: readonly number[], dtype: "float32" | "int32" = "float32"): View {
  const storage = native.allocate(Math.max(1, sizeOf(shape)) * 4);
  storage.elements(dtype).fill(0).set(values);
  return { storage, shape, strides: contiguousStrides(shape), offset: 0, dtype };
}

/** A matrix operand: any strides, sometimes one matrix for the whole batch. */
function operand(choices: Choices, batch: readonly number[], m: number, n: number, dtype: View["dtype"]): View {
  const whole = (): number => choices.integer(-4, 4);
  const shape = [...batch, m, n];
  if (batch.length === 0 || choices.chance(0.6)) return randomView(choices, shape, dtype, whole);
  const one = randomView(choices, [m, n], dtype, whole);
  return { ...one, shape, strides: [...batch.map(() => 0), ...one.strides] };
}

describe.skipIf(missing !== undefined)("native matmul", () => {
  it("agrees with js for any strides, batches, bias and ReLU", () => {
    forSeeds(400, (choices) => {
      const batch = choices.pick([[], [], [3], [2, 3], [5, 1]]);
      const [m, n, k] = [choices.integer(1, 20), choices.integer(1, 20), choices.integer(0, 20)];
      const dtype = choices.pick(["float32", "float32", "float32", "bfloat16", "float16", "float64", "int32"] as const);
      const a = operand(choices, batch, m, k, dtype);
      const b = operand(choices, batch, k, n, dtype);
      const whole = (): number => choices.integer(-4, 4);
      const bias = choices.chance(0.4) ? randomView(choices, [n], dtype, whole) : undefined;
      const out = denseView(choices, [...batch, m, n], dtype, whole);
      const relu = choices.chance(0.4);
      const expected = twin(out);
      jsMatmul(a, b, bias, relu, expected);
      fast.matmul?.(a, b, bias, relu, out);
      expectSame(out, expected, dtype === "bfloat16" || dtype === "float16" ? 1e-2 : 0, 1);
    });
  });

  it("is exact for whole numbers however the factors lie, with the same bits on one thread and two", () => {
    forSeeds(60, (choices) => {
      const [m, n, k] = [
        choices.integer(1, 130),
        choices.pick([1, 10, choices.integer(1, 90)]),
        choices.integer(1, 700),
      ];
      const turned = (rows: number, columns: number, value: () => number): View => {
        if (choices.chance(0.4)) return denseView(choices, [rows, columns], "float32", value);
        const { strides, ...rest } = denseView(choices, [columns, rows], "float32", value);
        return { ...rest, shape: [rows, columns], strides: [strides[1], strides[0]] };
      };
      const whole = (): number => choices.integer(-4, 4);
      const [a, b, bias] = [turned(m, k, whole), turned(k, n, whole), view([n], Array.from({ length: n }, whole))];
      const expected = denseView(choices, [m, n], "float32", whole);
      jsMatmul(a, b, bias, true, expected);
      const out = twin(expected);
      fast.matmul?.(a, b, bias, true, out);
      expectSame(out, expected, 0);

      const [x, y] = [turned(m, k, () => choices.next()), turned(k, n, () => choices.next())];
      const bits = [1, 2].map((threads) => {
        setThreadCount(threads);
        const result = view([m, n], []);
        fast.matmul?.(x, y, undefined, false, result);
        return Array.from(result.storage.elements("float32"));
      });
      expect(bits[0]).toEqual(bits[1]);
    });
  });

  it("multiplies big matrices closely on one and two threads", () => {
    const [m, n, k] = [130, 70, 300];
    const a = view(
      [m, k],
      Array.from({ length: m * k }, (_, i) => Math.sin(i)),
    );
    const b = view(
      [k, n],
      Array.from({ length: k * n }, (_, i) => Math.cos(3 * i)),
    );
    const expected = view([m, n], []);
    jsMatmul(a, b, undefined, false, expected);
    for (const threads of [1, 2]) {
      setThreadCount(threads);
      const out = view([m, n], []);
      fast.matmul?.(a, b, undefined, false, out);
      expectSame(out, expected, 1e-5, 10);
    }
  });
});

function softmaxOf(row: readonly number[]): { readonly probabilities: number[]; readonly logSumExp: number } {
  const top = Math.max(...row);
  const sum = row.reduce((all, x) => all + Math.exp(x - top), 0);
  return { probabilities: row.map((x) => Math.exp(x - top) / sum), logSumExp: top + Math.log(sum) };
}

describe.skipIf(missing !== undefined)("native softmax and crossEntropy", () => {
  const sizes = [
    [64, 10],
    [1, 1],
    [7, 1000],
    [3, 5000],
    [300, 33],
  ] as const;

  it.each(sizes)("agree with their definitions for %d rows of %d", (n, c) => {
    const rows = Array.from({ length: n }, (_, i) => Array.from({ length: c }, (_, j) => 20 * Math.sin(i * c + j * j)));
    const x = view([n, c], rows.flat().map(Math.fround));
    const exact = rows.map((row) => softmaxOf(row.map(Math.fround)));
    const out = view([n, c], []);
    fast.softmax?.(x, false, out);
    expectSame(
      out,
      view(
        [n, c],
        exact.flatMap(({ probabilities }) => probabilities),
      ),
      3e-6,
      1e-7,
    );
    fast.softmax?.(x, true, out);
    const logs = exact.flatMap(({ logSumExp }, i) => rows[i].map((value) => Math.fround(value) - logSumExp));
    expectSame(out, view([n, c], logs), 1e-6, 1);

    const targets = view(
      [n],
      rows.map((_, i) => (i % 5 === 4 ? -100 : (i * 7) % c)),
      "int32",
    );
    const losses = view([n], []);
    const norms = view([n], []);
    fast.crossEntropy?.(x, targets, -100, losses, norms);
    const target = Array.from(targets.storage.elements("int32"));
    const expectedLoss = exact.map(({ logSumExp }, i) =>
      target[i] < 0 ? 0 : logSumExp - Math.fround(rows[i][target[i]]),
    );
    expectSame(losses, view([n], expectedLoss), 1e-6, 1e-3);
    expectSame(
      norms,
      view(
        [n],
        exact.map(({ logSumExp }) => logSumExp),
      ),
      1e-6,
    );

    const scale = view(
      [n],
      rows.map((_, i) => 1 / (i + 1)),
    );
    fast.crossEntropyBackward?.(x, targets, norms, -100, scale, 1, out);
    const gradient = exact.flatMap(({ probabilities }, i) =>
      probabilities.map((p, j) => (target[i] < 0 ? 0 : (p - Number(target[i] === j)) / (i + 1))),
    );
    expectSame(out, view([n, c], gradient), 2e-5, 1e-4);
  });

  it("stays right for huge and infinite logits", () => {
    const x = view([4, 2], [1000, 999, -Infinity, 0, Infinity, 0, -Infinity, -Infinity]);
    const [losses, norms] = [view([4], []), view([4], [])];
    fast.crossEntropy?.(x, view([4], [0, 1, 1, 0], "int32"), -100, losses, norms);
    const result = memoryOf(norms).slice(0, 4);
    expect(result[0]).toBeCloseTo(1000.3133, 3);
    expect(result.slice(1)).toEqual([0, Infinity, -Infinity]);
    expect(memoryOf(losses)[0]).toBeCloseTo(0.3132617, 6);
    expect(memoryOf(losses)[1]).toBe(0);
  });

  it("names the first target out of range", () => {
    const x = view([3, 10], []);
    const targets = view([3], [4, 10, -1], "int32");
    const run = (): void => fast.crossEntropy?.(x, targets, -100, view([3], []), view([3], []));
    expect(run).toThrow(IndexError);
    expect(run).toThrow("crossEntropy: target 10 at row 1 is out of range for 10 classes (0 to 9).");
  });
});

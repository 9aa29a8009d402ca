import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ReduceKind, View } from "../backend.ts";
import { bytesPerElement, type DType } from "../dtype.ts";
import { IndexError } from "../errors.ts";
import { call, type Expr, input, Kernel, scalar } from "../expr.ts";
import { broadcastStrides, type Shape, sizeOf, stridesInOrder } from "../shape.ts";
import { loadOf, storeOf } from "./element.ts";
import { createJsBackend } from "./js.ts";
import { randomWords } from "./philox.ts";
import { functions } from "./scalar.ts";

const compiled = createJsBackend();
const interpreted = createJsBackend({ compile: false });
const backends = [
  ["compiled", compiled],
  ["interpreted", interpreted],
] as const;

/** How a test lays a view out: order of the axes, a gap between elements, which axes run backwards. */
interface Layout {
  readonly keys: readonly number[];
  readonly gap: number;
  readonly flips: readonly boolean[];
}

const rowMajor: Layout = { keys: [], gap: 1, flips: [] };

function make(shape: Shape, values: readonly number[], dtype: DType = "float32", layout: Layout = rowMajor): View {
  const order = [...shape.keys()].sort((a, b) => (layout.keys[a] ?? 0) - (layout.keys[b] ?? 0) || a - b);
  const dense = stridesInOrder(shape, order);
  const strides = dense.map((stride, i) => stride * layout.gap * (layout.flips[i] ? -1 : 1));
  const first = strides.reduce((sum, stride, i) => (stride < 0 ? sum - stride * Math.max(0, shape[i] - 1) : sum), 3);
  const storage = compiled.allocate((sizeOf(shape) * layout.gap + 4) * bytesPerElement(dtype));
  const view: View = { storage, shape, strides, offset: first, dtype };
  const store = storeOf(dtype) ?? ((x: number) => x);
  const data = storage.elements(dtype);
  positions(shape).forEach((position, i) => {
    data[place(view, position)] = store(values[i] ?? 0);
  });
  return view;
}

function read(view: View): number[] {
  const load = loadOf(view.dtype) ?? ((x: number) => x);
  const data = view.storage.elements(view.dtype);
  return positions(view.shape).map((position) => load(data[place(view, position)]));
}

function place(view: View, position: readonly number[]): number {
  return position.reduce((sum, p, i) => sum + p * view.strides[i], view.offset);
}

function positions(shape: Shape): number[][] {
  let list: number[][] = [[]];
  for (const size of shape) list = list.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i]));
  return list;
}

function evaluate(expr: Expr, inputs: readonly number[], scalars: readonly number[]): number {
  switch (expr.kind) {
    case "input":
      return inputs[expr.index];
    case "scalar":
      return scalars[expr.index];
    case "constant":
      return expr.value;
    case "call": {
      const [a, b = 0, c = 0] = expr.args.map((argument) => evaluate(argument, inputs, scalars));
      return functions[expr.op](a, b, c);
    }
  }
}

/** The element of a view at a position of the shape it broadcasts to. */
function at(view: View, shape: Shape, position: readonly number[]): number {
  const strides = broadcastStrides(view.shape, view.strides, shape);
  const load = loadOf(view.dtype) ?? ((x: number) => x);
  const index = position.reduce((sum, p, i) => sum + p * strides[i], view.offset);
  return load(view.storage.elements(view.dtype)[index]);
}

const layouts: fc.Arbitrary<Layout> = fc.record({
  keys: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 4, maxLength: 4 }),
  gap: fc.integer({ min: 1, max: 3 }),
  flips: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
});
const denseLayouts = layouts.map((layout): Layout => ({ ...layout, gap: 1, flips: [] }));
const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const dtypeNames: fc.Arbitrary<DType> = fc.constantFrom(
  "float32",
  "float64",
  "int32",
  "uint8",
  "bool",
  "float16",
  "bfloat16",
);
const numbers = fc.oneof(
  fc.integer({ min: -40, max: 40 }).map((n) => n / 4),
  fc.constantFrom(Number.NaN, Infinity, -Infinity, 300.7),
);

/** A view that broadcasts to `shape`. */
function operands(shape: Shape, dtypes: fc.Arbitrary<DType>, values: fc.Arbitrary<number>): fc.Arbitrary<View> {
  return fc
    .tuple(
      fc.integer({ min: 0, max: shape.length }),
      fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
      layouts,
      dtypes,
    )
    .chain(([drop, ones, layout, dtype]) => {
      const own = shape.map((size, i) => (ones[i] ? 1 : size)).slice(drop);
      const size = sizeOf(own);
      return fc.array(values, { minLength: size, maxLength: size }).map((list) => make(own, list, dtype, layout));
    });
}

const [x, y, s] = [input(0), input(1), scalar(0)];
const kernels = [
  new Kernel([call("add", call("mul", x, s), y)], 2, 1),
  new Kernel([call("where", call("less", x, y), call("sigmoid", x), call("max", y, s)), call("sub", y, 1)], 2, 1),
  new Kernel([call("mul", x, call("exp", call("mul", s, 0.5))), x, call("remainder", y, x)], 2, 1),
  new Kernel([call("round", y), call("isNan", x), call("softplus", call("neg", x))], 2, 1),
  new Kernel([call("erf", -0.5)], 2, 1),
];

describe.each(backends)("js backend, %s: map and reduce", (_, backend) => {
  test("map equals a naive loop for any shapes, strides, broadcasts and dtypes", () => {
    const cases = shapes.chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        kernel: fc.constantFrom(...kernels),
        inputs: fc.tuple(operands(shape, dtypeNames, numbers), operands(shape, dtypeNames, numbers)),
        dtypes: fc.tuple(dtypeNames, dtypeNames, dtypeNames),
        layout: layouts,
        factor: numbers,
      }),
    );
    fc.assert(
      fc.property(cases, ({ shape, kernel, inputs, dtypes, layout, factor }) => {
        const outputs = kernel.outputs.map((_, k) => make(shape, [], dtypes[k], layout));
        const expected = kernel.outputs.map((expr, k) => {
          const values = positions(shape).map((p) =>
            evaluate(
              expr,
              inputs.map((v) => at(v, shape, p)),
              [factor],
            ),
          );
          return read(make(shape, values, dtypes[k]));
        });
        backend.map(kernel, inputs, outputs, [factor]);
        expect(outputs.map(read)).toEqual(expected);
      }),
      { numRuns: 400 },
    );
  });

  test("reduce equals a naive loop for any shapes, strides, broadcasts and axes", () => {
    const quarters = fc.integer({ min: -8, max: 8 }).map((n) => n / 4); // sums are exact in any order
    const floats: fc.Arbitrary<DType> = fc.constantFrom("float32", "float64", "float16", "int32", "bool");
    const cases = shapes.chain((shape) =>
      fc.record({
        shape: fc.constant(shape),
        inputs: fc.tuple(operands(shape, floats, quarters), operands(shape, floats, quarters)),
        axes: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
        kind: fc.constantFrom<ReduceKind>("sum", "max", "min"),
        layout: denseLayouts,
        dtype: fc.constantFrom<DType>("float32", "float64", "int32", "bool"),
        factor: quarters,
      }),
    );
    fc.assert(
      fc.property(cases, ({ shape, inputs, axes, kind, layout, dtype, factor }) => {
        const kernel = kernels[0];
        const outShape = shape.map((size, i) => (axes[i] ? 1 : size));
        const out = make(outShape, [], dtype, layout);
        const values = new Map<string, number[]>(positions(outShape).map((p) => [p.join(), []]));
        for (const p of positions(shape)) {
          const value = evaluate(
            kernel.outputs[0],
            inputs.map((v) => at(v, shape, p)),
            [factor],
          );
          values.get(p.map((q, i) => (axes[i] ? 0 : q)).join())?.push(value);
        }
        const joined = [...values.values()].map((list) => joinNaively(kind, list, dtype));
        backend.reduce(kind, kernel, inputs, shape, out, [factor]);
        expect(read(out)).toEqual(read(make(outShape, joined, dtype)));
      }),
      { numRuns: 400 },
    );
  });

  test("NaN wins in max and min, wherever it is", () => {
    const identity = new Kernel([x], 1);
    for (const kind of ["max", "min"] as const) {
      const out = make([2, 1], []);
      backend.reduce(kind, identity, [make([2, 3], [1, Number.NaN, 2, 3, 4, 5])], [2, 3], out, []);
      expect(read(out)).toEqual([Number.NaN, kind === "max" ? 5 : 3]);
    }
  });

  test("products join along any axis, and of nothing are 1", () => {
    const identity = new Kernel([x], 1);
    const values = make([2, 3], [1, 2, 3, 4, 5, 6]);
    const [rows, columns, empty] = [make([2, 1], []), make([1, 3], []), make([1], [])];
    backend.reduce("prod", identity, [values], [2, 3], rows, []);
    backend.reduce("prod", identity, [values], [2, 3], columns, []);
    backend.reduce("prod", identity, [make([0], [])], [0], empty, []);
    expect([rows, columns, empty].map(read)).toEqual([[6, 120], [4, 10, 18], [1]]);
  });

  test("sums are taken in float64", () => {
    const n = 100_000;
    const out = make([], []);
    backend.reduce(
      "sum",
      new Kernel([x], 1),
      [make([n], new Array(n).fill(0.1))],
      [n],
      { ...out, shape: [1], strides: [1] },
      [],
    );
    expect(read(out)[0]).toBe(Math.fround(n * Math.fround(0.1)));
  });

  test("an output may be an input", () => {
    const a = make([5], [1, 2, 3, 4, 5]);
    const b = make([5], [10, 20, 30, 40, 50]);
    const both = new Kernel([call("add", x, y), call("sub", x, y)], 2);
    backend.map(both, [a, b], [a, b], []);
    expect([read(a), read(b)]).toEqual([
      [11, 22, 33, 44, 55],
      [-9, -18, -27, -36, -45],
    ]);
  });

  test("mapEach is map over each set, with one set of scalars", () => {
    const step = new Kernel([call("sub", x, call("mul", s, y))], 2, 1);
    const parameters = [make([2], [1, 2]), make([2, 2], [1, 2, 3, 4]), make([0], [])];
    const gradients = [make([2], [10, 20]), make([2, 2], [1, 1, 1, 1]), make([0], [])];
    backend.mapEach(
      step,
      parameters.map((p, i) => [p, gradients[i]]),
      parameters.map((p) => [p]),
      [0.5],
    );
    expect(parameters.map(read)).toEqual([[-4, -8], [0.5, 1.5, 2.5, 3.5], []]);
  });

  test("values become integers by truncation and wrap", () => {
    const source = make([5], [-1.9, 1.9, 257.5, -300, Number.NaN], "float64");
    const out = [make([5], [], "int32"), make([5], [], "uint8"), make([5], [], "bool")];
    backend.map(new Kernel([x, x, x], 1), [source], out, []);
    expect(out.map(read)).toEqual([
      [-1, 1, 257, -300, 0],
      [255, 1, 1, 212, 0],
      [1, 1, 1, 1, 1],
    ]);
  });
});

function joinNaively(kind: ReduceKind, list: readonly number[], dtype: DType): number {
  if (kind === "sum") return list.reduce((a, b) => a + b, 0);
  const values = dtype === "bool" ? list.map((value) => Number(value !== 0)) : list;
  return kind === "max" ? Math.max(...values) : Math.min(...values);
}

describe("js backend: indexing", () => {
  test("gather equals a naive loop, with and without whole rows", () => {
    const cases = fc.record({
      sizes: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 })),
      axis: fc.integer({ min: 0, max: 2 }),
      count: fc.integer({ min: 0, max: 5 }),
      rows: fc.boolean(),
      layouts: fc.tuple(layouts, denseLayouts, denseLayouts),
      picks: fc.array(fc.nat(), { minLength: 125, maxLength: 125 }),
    });
    fc.assert(
      fc.property(cases, ({ sizes, axis, count, rows, layouts: [xLayout, indexLayout, outLayout], picks }) => {
        const source = make(
          sizes,
          positions(sizes).map((_, i) => i),
          "float32",
          xLayout,
        );
        const outShape = sizes.map((size, i) => (i === axis ? count : size));
        const numbersOf = picks.map((pick) => pick % sizes[axis]);
        let index = make(outShape, numbersOf, "int32", indexLayout);
        if (rows) {
          const line = make([count], numbersOf, "int32");
          index = { ...line, shape: outShape, strides: outShape.map((_, i) => (i === axis ? line.strides[0] : 0)) };
        }
        const indexAt = (p: readonly number[]): number => index.storage.elements("int32")[place(index, p)];
        const out = make(outShape, [], "float32", outLayout);
        compiled.gather("gather", source, index, axis, out);
        const data = source.storage.elements("float32");
        const moved = (p: readonly number[]): number[] => p.map((q, i) => (i === axis ? indexAt(p) : q));
        expect(read(out)).toEqual(positions(outShape).map((p) => data[place(source, moved(p))]));

        const sum = make(
          sizes,
          positions(sizes).map(() => 1),
          "float32",
          outLayout,
        );
        const expected = make(
          sizes,
          positions(sizes).map(() => 1),
        );
        const target = expected.storage.elements("float32");
        for (const p of positions(outShape)) target[place(expected, moved(p))] += data[place(source, moved(p))];
        compiled.scatterAdd("scatterAdd", sum, index, axis, out);
        expect(read(sum)).toEqual(read(expected));
      }),
    );
  });

  test("an index out of range is named, and nothing is written", () => {
    const source = make([10, 2], []);
    const index = (bad: number): View => ({ ...make([3], [1, bad, 2], "int32"), shape: [3, 2], strides: [1, 0] });
    const out = make([3, 2], [7, 7, 7, 7, 7, 7]);
    expect(() => compiled.gather("gather", source, index(12), 0, out)).toThrow(
      new IndexError("gather", "index 12 is out of range for axis 0 of size 10 (0 to 9)."),
    );
    expect(() => compiled.gather("embedding", source, index(-1), 0, out)).toThrow(/^embedding: index -1 is out/);
    expect(() => compiled.scatterAdd("scatterAdd", source, index(10), 0, out)).toThrow(IndexError);
    expect(read(out)).toEqual([7, 7, 7, 7, 7, 7]);
    expect(read(source)).toEqual(new Array(20).fill(0));
  });

  test("nothing can be gathered from an empty axis", () => {
    const index = make([1], [0], "int32");
    expect(() => compiled.gather("gather", make([0], []), index, 0, make([1], []))).toThrow(/nothing to index/);
    compiled.gather("gather", make([0], []), make([0], [], "int32"), 0, make([0], []));
  });
});

describe("js backend: lanes", () => {
  test("argReduce gives the first of equals, and the first NaN", () => {
    const out = make([3, 1], [], "int32");
    const values = make([3, 4], [1, 5, 5, 0, 2, Number.NaN, 9, Number.NaN, 0, 0, 0, 0]);
    compiled.argReduce("max", values, 1, out);
    expect(read(out)).toEqual([1, 1, 0]);
    compiled.argReduce("min", values, 1, out);
    expect(read(out)).toEqual([3, 1, 0]);
    const column = make([1, 4], [], "int32");
    compiled.argReduce("max", values, 0, column);
    expect(read(column)).toEqual([1, 1, 1, 1]);
  });

  test("scan runs along any axis", () => {
    const values = make([2, 3], [1, 2, 3, 4, 5, 6], "float32", { keys: [1, 0], gap: 2, flips: [true, false] });
    const out = make([2, 3], []);
    compiled.scan("sum", values, 1, out);
    expect(read(out)).toEqual([1, 3, 6, 4, 9, 15]);
    compiled.scan("prod", values, 0, out);
    expect(read(out)).toEqual([1, 2, 3, 4, 10, 18]);
  });

  test("sort is stable, and NaN counts as largest", () => {
    const list = fc.array(fc.constantFrom(3, 1, 2, Number.NaN, -Infinity, 0, Infinity), { maxLength: 12 });
    fc.assert(
      fc.property(list, fc.boolean(), layouts, (values, descending, layout) => {
        const n = values.length;
        const sorted = make([n], []);
        const origins = make([n], [], "int32");
        compiled.sort(make([n], values, "float32", layout), 0, descending, sorted, origins);
        const rank = (v: number): number => (Number.isNaN(v) ? 9 : [-Infinity, 0, 1, 2, 3, Infinity].indexOf(v));
        const sign = descending ? -1 : 1;
        const order = [...values.keys()].sort((i, j) => sign * (rank(values[i]) - rank(values[j])) || i - j);
        expect(read(origins)).toEqual(order);
        expect(read(sorted)).toEqual(order.map((i) => values[i]));
      }),
    );
  });
});

describe("js backend: matmul", () => {
  test("equals a naive product for any sizes, strides and batches", () => {
    const cases = fc.record({
      batch: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 2 }),
      sizes: fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 })),
      layouts: fc.tuple(layouts, layouts, layouts),
      dtype: fc.constantFrom<DType>("float32", "float64", "bfloat16", "int32"),
      withBias: fc.boolean(),
      relu: fc.boolean(),
      values: fc.array(fc.integer({ min: -4, max: 4 }), { minLength: 60, maxLength: 60 }),
    });
    fc.assert(
      fc.property(cases, ({ batch, sizes: [m, n, k], layouts: [la, lb, lo], dtype, withBias, relu, values }) => {
        const fill = (shape: Shape, from: number, layout: Layout): View =>
          make(
            shape,
            Array.from({ length: sizeOf(shape) }, (_, i) => values[(i * 7 + from) % 60]),
            dtype,
            layout,
          );
        const a = fill([...batch, m, k], 0, la);
        const b = fill([...batch, k, n], 5, lb);
        const out = fill([...batch, m, n], 9, lo);
        const bias = withBias ? fill([n], 2, lb) : undefined;
        const expected = positions(out.shape).map((p) => {
          const [head, i, j] = [p.slice(0, -2), p[p.length - 2], p[p.length - 1]];
          let sum = bias ? at(bias, bias.shape, [j]) : 0;
          for (let q = 0; q < k; q++) sum += at(a, a.shape, [...head, i, q]) * at(b, b.shape, [...head, q, j]);
          return relu ? Math.max(sum, 0) : sum;
        });
        compiled.fast.matmul?.(a, b, bias, relu, out);
        expect(read(out)).toEqual(read(make(out.shape, expected, dtype)));
      }),
      { numRuns: 200 },
    );
  });

  test("sizes beyond one block", () => {
    const [m, n, k] = [70, 261, 300];
    const a = make(
      [m, k],
      Array.from({ length: m * k }, (_, i) => (i * 31) % 7),
    );
    const b = make(
      [n, k],
      Array.from({ length: n * k }, (_, i) => (i * 17) % 5),
    );
    const out = make([m, n], []);
    const transposed: View = { ...b, shape: [k, n], strides: [b.strides[1], b.strides[0]] };
    compiled.fast.matmul?.(a, transposed, undefined, false, out);
    const [av, bv] = [read(a), read(b)];
    const expected = positions([m, n]).map(([i, j]) => {
      let sum = 0;
      for (let q = 0; q < k; q++) sum += av[i * k + q] * bv[j * k + q];
      return sum;
    });
    expect(read(out)).toEqual(expected);
  });
});

describe("js backend: random and memory", () => {
  const key = { seed: 2 ** 40 + 7, stream: 3, counter: 2 ** 32 - 1 };

  test("uniform draws are the upper 24 bits of the words, in logical order for any layout", () => {
    const shape = [3, 5, 3];
    const words = [...randomWords(key, 45)];
    const expected = words.map((word) => Math.fround(-1 + 3 * ((word >>> 8) / 2 ** 24)));
    for (const layout of [rowMajor, { keys: [0, 2, 1], gap: 1, flips: [] }]) {
      const out = make(shape, [], "float32", layout);
      compiled.random("uniform", key, out, -1, 2);
      expect(read(out)).toEqual(expected);
    }
  });

  test("integers cover their range; bernoulli keeps its rate; normal has its mean and deviation", () => {
    const n = 20_000;
    const integers = make([n], [], "int32");
    compiled.random("integers", key, integers, -2, 3);
    expect([...new Set(read(integers))].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2]);
    const flags = make([n], [], "bool");
    compiled.random("bernoulli", key, flags, 0, 0.3);
    expect(read(flags).reduce((a, b) => a + b) / n).toBeCloseTo(0.3, 1);
    const normal = make([n], []);
    compiled.random("normal", key, normal, 2, 0.5);
    const values = read(normal);
    const mean = values.reduce((a, b) => a + b) / n;
    expect(mean).toBeCloseTo(2, 1);
    expect(Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / n)).toBeCloseTo(0.5, 1);
  });

  test("a fill may be made in pieces of whole blocks", () => {
    const whole = make([5000], []);
    compiled.random("normal", { seed: 1, stream: 2, counter: 0 }, whole, 0, 1);
    const piece = make([7], []);
    compiled.random("normal", { seed: 1, stream: 2, counter: 1100 }, piece, 0, 1);
    expect(read(piece)).toEqual(read(whole).slice(4400, 4407));
  });

  test("bytes go in and come out", async () => {
    const storage = compiled.allocate(16);
    compiled.write(storage, new Uint8Array([1, 2, 3]), 4);
    expect([...(await compiled.read(storage, 4, 3))]).toEqual([1, 2, 3]);
  });

  test("empty and 0-d tensors", () => {
    const out = make([], []);
    compiled.map(new Kernel([call("add", x, y)], 2), [make([], [2]), make([], [3])], [out], []);
    expect(read(out)).toEqual([5]);
    const sum = make([1, 2], [9, 9]);
    compiled.reduce("sum", new Kernel([x], 1), [make([0, 2], [])], [0, 2], sum, []);
    expect(read(sum)).toEqual([0, 0]);
    compiled.random("normal", key, make([0], []), 0, 1);
  });
});

import { expect, test } from "vitest";
import { expectSame } from "../../test/close.ts";
import { getRandomState, nn, randn, type Tensor, tensor, zeros } from "../index.ts";

test("an MLP: shapes, parameters, MFLOPs and the printed table", () => {
  const model = new nn.Sequential(new nn.Linear(784, 50), new nn.ReLU(), new nn.Linear(50, 10));
  const table = nn.summary(model, zeros([64, 784]));
  expect(table.parameters).toBe(39760);
  expect(table.mflops).toBeCloseTo((784 * 50 + 50 * 10) / 1e6, 12);
  expect(table.rows.map(({ path, type, outputs, parameters }) => [path, type, outputs, parameters])).toEqual([
    ["", "Sequential", [[64, 10]], 0],
    ["0", "Linear", [[64, 50]], 39250],
    ["1", "ReLU", [[64, 50]], 0],
    ["2", "Linear", [[64, 10]], 510],
  ]);
  expect(String(table)).toBe(
    [
      "Module       Output    Parameters  MFLOPs",
      "-----------------------------------------",
      "Sequential   [64, 10]",
      "  0: Linear  [64, 50]      39,250  0.0392",
      "  1: ReLU    [64, 50]",
      "  2: Linear  [64, 10]         510  0.0005",
      "-----------------------------------------",
      "39,760 parameters, 39,760 of them trainable, 0.0 MFLOPs",
    ].join("\n"),
  );
});

test("convolutions count each weight at each place; transposed ones at each place of the input", () => {
  const model = new nn.Sequential(
    new nn.Conv2d(4, 8, 3, { stride: 2, padding: 1, groups: 2 }),
    new nn.BatchNorm2d(8),
    new nn.ConvTranspose2d(8, 3, 2, { stride: 2 }),
  );
  const { rows } = nn.summary(model, zeros([5, 4, 12, 10]));
  expect(rows.map((row) => Math.round(row.mflops * 1e6))).toEqual([0, 8 * 2 * 9 * 6 * 5, 0, 8 * 3 * 4 * 6 * 5]);
  expect(rows[3].outputs).toEqual([[5, 3, 12, 10]]);
});

test("miniai's second Fashion-MNIST model: its parameters, and its MFLOPs as it counts them", () => {
  const sizes = [16, 32, 64, 128, 256];
  const model = new nn.Sequential(
    new nn.ResBlock(1, 16, { kernelSize: 5 }),
    ...sizes.slice(1).map((size, i) => new nn.ResBlock(sizes[i], size, { stride: 2 })),
    new nn.ResBlock(256, 512),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(512, 10, { bias: false }),
    new nn.BatchNorm1d(10),
  );
  const table = nn.summary(model, zeros([2, 1, 28, 28]));
  expect(table.parameters).toBe(4907588 - 2016);
  const blocks = model.children().map((block) => {
    const [shape] = table.rows.find((row) => row.path === String(model.children().indexOf(block)))?.outputs ?? [[]];
    const places = shape.length === 4 ? shape[2] * shape[3] : 1;
    return block.parameters().reduce((sum, p) => sum + p.numel() * (p.rank === 4 ? places : 1), 0);
  });
  expect((blocks.reduce((a, b) => a + b, 0) / 1e6).toFixed(1)).toBe("33.0");
  expect(table.mflops).toBeGreaterThan(33);
});

test("shared layers count their parameters once and their work each time; unused ones have no output", () => {
  class Twice extends nn.Module {
    readonly inner = new nn.Linear(3, 3, { bias: false });
    readonly again = this.inner;
    readonly tied = new nn.Linear(3, 3, { bias: false });
    readonly unused = [new nn.Linear(2, 2)];

    constructor() {
      super();
      this.tied.weight = this.inner.weight;
      this.unused[0].requiresGrad_(false);
    }

    forward(x: Tensor): Tensor {
      return this.tied.forward(this.again.forward(this.inner.forward(x)));
    }
  }
  const table = nn.summary(new Twice(), zeros([4, 3]));
  expect(table.rows.map(({ path, parameters, outputs }) => [path, parameters, outputs])).toEqual([
    ["", 0, [[4, 3]]],
    ["inner", 9, [[4, 3]]],
    ["tied", 0, [[4, 3]]],
    ["unused.0", 6, []],
  ]);
  expect(table.mflops * 1e6).toBeCloseTo(27);
  expect([table.parameters, table.trainable]).toEqual([15, 9]);
});

test("several inputs and outputs, and lookups", () => {
  class Pair extends nn.Module<readonly [Tensor, Tensor], readonly Tensor[]> {
    readonly table = new nn.Embedding(5, 4);

    forward(ids: Tensor, x: Tensor): readonly Tensor[] {
      return [this.table.forward(ids), x];
    }
  }
  const { rows, mflops } = nn.summary(new Pair(), tensor([[1, 2, 3]], { dtype: "int32" }), zeros([1, 7]));
  expect(rows[0].outputs).toEqual([
    [1, 3, 4],
    [1, 7],
  ]);
  expect(mflops).toBe(0);
});

test("nothing is changed", () => {
  const norm = new nn.BatchNorm1d(4);
  const frozen = new nn.Dropout().eval();
  const model = new nn.Sequential(new nn.Linear(4, 4), norm, frozen, new nn.Dropout());
  const before = new Map([...model.stateDict()].map(([key, x]) => [key, x.clone()]));
  const random = getRandomState();
  const x = randn([8, 4]).detach();
  const afterDraw = getRandomState();
  nn.summary(model, x);
  expect(getRandomState()).toEqual(afterDraw);
  expect(afterDraw).not.toEqual(random);
  for (const [key, value] of model.stateDict()) expectSame(value, before.get(key) ?? x);
  expect(model.modules().map((module) => module.training)).toEqual([true, true, true, false, true]);
  expect(model.modules().some((module) => Object.hasOwn(module, "forward"))).toBe(false);
  expect(() => nn.summary(model, zeros([8, 5]))).toThrow();
  expect(model.modules().some((module) => Object.hasOwn(module, "forward"))).toBe(false);
  expect(frozen.training).toBe(false);
});

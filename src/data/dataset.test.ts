import { describe, expect, expectTypeOf, it } from "vitest";
import { arange, type Tensor, tensor } from "../tensor/index.ts";
import { type Collated, collate } from "./collate.ts";
import { type Dataset, mapItems, Subset, TensorDataset } from "./dataset.ts";
import { indexSplit, randomSplit } from "./split.ts";
import { compose, normalize, normalizeTo } from "./transforms.ts";

const numbers: Dataset<number> = { length: 10, get: (i) => i };

describe("TensorDataset", () => {
  const x = arange(12).reshape([6, 2]);
  const y = arange(6).to("uint8");
  const data = new TensorDataset(x, y);

  it("gives items, batches and slices", () => {
    expect(data.length).toBe(6);
    expect(data.get(2).map((t) => t.toArray())).toEqual([[4, 5], 2]);
    const [bx, by] = data.batch([5, 0]);
    expect(bx.toArray()).toEqual([
      [10, 11],
      [0, 1],
    ]);
    expect(by.toArray()).toEqual([5, 0]);
    expect(by.dtype).toBe("uint8");
    const slice = data.slice(1, 3);
    expect(slice.length).toBe(2);
    expect(slice.tensors[1].toArray()).toEqual([1, 2]);
    expect(slice.tensors[0].storage).toBe(x.storage);
  });

  it("equals collating its items", () => {
    const [bx, by] = collate([data.get(3), data.get(1)]);
    const [cx, cy] = data.batch(Int32Array.of(3, 1));
    expect([bx.toArray(), by.toArray(), by.dtype]).toEqual([cx.toArray(), cy.toArray(), cy.dtype]);
  });

  it("keeps images channels-last", () => {
    for (const shape of [
      [4, 3, 5],
      [4, 3, 2, 5],
      [4, 3, 2, 5, 2],
    ]) {
      const plain = arange(shape.reduce((product, size) => product * size)).reshape(shape);
      const images = plain.contiguous({ memoryFormat: "channelsLast" });
      const [batch] = new TensorDataset(images).batch([3, 0]);
      expect(batch.isContiguous({ memoryFormat: "channelsLast" })).toBe(true);
      expect(batch.toArray()).toEqual(new TensorDataset(plain).batch([3, 0])[0].toArray());
    }
  });

  it("has typed batches", () => {
    expectTypeOf(data.batch([0])).toEqualTypeOf<readonly [Tensor, Tensor]>();
    expectTypeOf(new TensorDataset(x, y, x).batch([0])).toEqualTypeOf<readonly [Tensor, Tensor, Tensor]>();
    expectTypeOf<Collated<{ image: Uint8Array; label: number; name: string }>>().toEqualTypeOf<{
      readonly image: Tensor;
      readonly label: Tensor;
      readonly name: readonly string[];
    }>();
  });

  it("refuses what does not fit", () => {
    expect(() => new TensorDataset(x, arange(5))).toThrow(
      "TensorDataset: numbers of items differ: [6,2] and [5] (6 ≠ 5).",
    );
    expect(() => new TensorDataset(tensor(1))).toThrow("a single number has no items");
    expect(() => new TensorDataset()).toThrow("at least one tensor");
    for (const index of [6, -1, 0.5, Number.NaN]) {
      expect(() => data.get(index)).toThrow(`index ${index} is out of range for 6 items`);
      expect(() => data.batch([index])).toThrow(`index ${index} is out of range for 6 items`);
    }
    expect(() => data.batch(Int32Array.of(0, 6))).toThrow("6");
    expect(data.batch([])[0].shape).toEqual([0, 2]);
  });
});

describe("Subset and mapItems", () => {
  it("picks items, and batches them in one go where the dataset can", () => {
    const plain = new Subset(numbers, [4, 2]);
    expect([plain.length, plain.get(0), plain.get(1)]).toEqual([2, 4, 2]);
    expect(plain.batch).toBeUndefined();
    expect(() => plain.get(2)).toThrow("index 2 is out of range for 2 items");
    expect(() => new Subset(numbers, [10])).toThrow("index 10 is out of range for 10 items");
    const rows = new Subset(new TensorDataset(arange(10).mul(10)), [4, 2, 9]);
    const nested = new Subset(rows, [2, 0]);
    expect(nested.batch?.(Int32Array.of(0, 1))[0].toArray()).toEqual([90, 40]);
    expect(() => nested.batch?.(Int32Array.of(2))).toThrow("index 2 is out of range for 2 items");
  });

  it("maps items, promised or not", async () => {
    const tens = mapItems(numbers, (item, index) => [item * 10, index]);
    expect(tens.get(3)).toEqual([30, 3]);
    const later: Dataset<number> = { length: 2, get: async (i) => i };
    expect(await mapItems(later, (item) => item + 1).get(1)).toBe(2);
  });
});

describe("splits", () => {
  it("deals all items out, the same way for the same seed", () => {
    const parts = randomSplit(numbers, [7, 3], { seed: 3 });
    expect(parts.map((part) => part.length)).toEqual([7, 3]);
    expect(parts.flatMap((part) => [...part.indices]).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const again = randomSplit(numbers, [7, 3], { seed: 3 });
    expect(again[0].indices).toEqual(parts[0].indices);
    expect(randomSplit(numbers, [7, 3], { seed: 4 })[0].indices).not.toEqual(parts[0].indices);
  });

  it("takes fractions", () => {
    const lengths = (sizes: number[], length: number) =>
      randomSplit({ length, get: (i) => i }, sizes, { seed: 0 }).map((part) => part.length);
    expect(lengths([0.7, 0.2, 0.1], 10)).toEqual([7, 2, 1]);
    expect(lengths([0.29, 0.71], 100)).toEqual([29, 71]);
    expect(lengths([0.5, 0.5], 7)).toEqual([4, 3]);
    expect(lengths([1, 0], 3)).toEqual([3, 0]);
    expect(lengths([0.9, 0.1, 0], 1)).toEqual([1, 0, 0]);
  });

  it("refuses sizes that do not sum up", () => {
    expect(() => randomSplit(numbers, [7, 4])).toThrow("the sizes [7,4] sum to 11, the dataset has 10 items");
    expect(() => randomSplit(numbers, [0.5, 0.4])).toThrow("a size must be a whole number from 0, got 0.5");
    expect(() => randomSplit(numbers, [11, -1])).toThrow("got -1");
    expect(() => randomSplit(numbers, [Number.NaN])).toThrow("got NaN");
  });

  it("splits by index", () => {
    const [train, valid] = indexSplit(numbers, [9, 0, 5]);
    expect([...train.indices]).toEqual([1, 2, 3, 4, 6, 7, 8]);
    expect([...valid.indices]).toEqual([9, 0, 5]);
    expect(() => indexSplit(numbers, [1, 1])).toThrow("index 1 is listed twice");
    expect(() => indexSplit(numbers, [10])).toThrow("index 10 is out of range");
  });
});

describe("collate", () => {
  it("stacks every kind of field", () => {
    const batch = collate([
      { x: Float32Array.of(1, 2), d: Float64Array.of(1), k: 3, r: 0.5, ok: true, s: "a", t: tensor([1]), p: [1, [2]] },
      { x: Float32Array.of(3, 4), d: Float64Array.of(2), k: 4, r: 1, ok: false, s: "b", t: tensor([2]), p: [3, [4]] },
    ]);
    expect(batch.x.toArray()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    expect([batch.d.dtype, batch.k.dtype, batch.r.dtype, batch.ok.dtype]).toEqual([
      "float32",
      "int32",
      "float32",
      "bool",
    ]);
    expect(batch.r.toArray()).toEqual([0.5, 1]);
    expect(batch.s).toEqual(["a", "b"]);
    expect(batch.t.shape).toEqual([2, 1]);
    expect(collate([2 ** 31, 1]).dtype).toBe("float32");
  });

  it("names the field and both shapes", () => {
    expect(() => collate([{ a: [Float32Array.of(1)] }, { a: [Float32Array.of(1, 2)] }])).toThrow(
      "collate: field a[0] of item 1 has shape [2], item 0 has [1].",
    );
    expect(() => collate([tensor([1]), tensor([[1]])])).toThrow("collate: item 1 has shape [1,1], item 0 has [1].");
    expect(() => collate([tensor([1]), tensor([true])])).toThrow("item 1 has dtype bool, item 0 has float32.");
    expect(() => collate<unknown>([[1], [1, 2]])).toThrow("item 1 has 2 fields, item 0 has 1.");
    expect(() => collate<unknown>([{ a: 1 }, { b: 1 }])).toThrow("item 1 has the fields {b}, item 0 has {a}.");
    expect(() => collate<unknown>([1, "a"])).toThrow("item 1 has a string, item 0 has a number.");
    expect(() => collate<unknown>([null])).toThrow(
      "item 0 has null, which cannot be batched. Give a collate function.",
    );
    expect(() => collate([])).toThrow("at least one item");
  });
});

describe("transforms", () => {
  it("normalises, with the statistics of the first", () => {
    expect(normalize(tensor([1, 3]), tensor([1, 2]), 2).toArray()).toEqual([0, 0.5]);
    const { train, valid, mean, std } = normalizeTo(tensor([1, 2, 3]), tensor([4]));
    expect([mean, std]).toEqual([2, 1]);
    expect([train.toArray(), valid.toArray()]).toEqual([[-1, 0, 1], [2]]);
  });

  it("composes from first to last", () => {
    const both = compose(
      (v: number) => v + 1,
      (v: number) => v * 10,
    );
    expect(both(1)).toBe(20);
    expect(compose<number>()(5)).toBe(5);
  });
});

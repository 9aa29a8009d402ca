import { describe, expect, expectTypeOf, it } from "vitest";
import { arange, manualSeed, type Tensor } from "../tensor/index.ts";
import { type Dataset, TensorDataset } from "./dataset.ts";
import { DataLoader, type Loader, type LoaderState } from "./loader.ts";
import { DataLoaders } from "./loaders.ts";

const data = new TensorDataset(arange(20).reshape([10, 2]), arange(10));

/** Labels of each batch of one epoch. */
async function epochOf(loader: Loader<readonly [Tensor, Tensor]>): Promise<unknown[]> {
  const labels: unknown[] = [];
  for await (const [, y] of loader) labels.push(y.toArray());
  return labels;
}

/** A dataset that notes what is asked for, and answers later. */
function slow(length: number, log: number[], failAt = -1): Dataset<number> {
  return {
    length,
    async get(i) {
      log.push(i);
      await new Promise((resolve) => setTimeout(resolve, 1));
      if (i === failAt) throw new Error(`item ${i} is damaged`);
      return i;
    },
  };
}

describe("DataLoader over tensors", () => {
  it("gives batches in order, the last one short", async () => {
    const loader = new DataLoader(data, { batchSize: 4 });
    expect(loader.length).toBe(3);
    expect(await epochOf(loader)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect(new DataLoader(data, { batchSize: 4, dropLast: true }).length).toBe(2);
    expect(new DataLoader(data).batchSize).toBe(64);
    expectTypeOf(loader).toExtend<Loader<readonly [Tensor, Tensor]>>();
  });

  it("gives batches at hand, without promises", () => {
    const loader = new DataLoader(data, { batchSize: 4 });
    const batches = [...loader.iterate()];
    expect(batches.some((batch) => batch instanceof Promise)).toBe(false);
    expect(batches).toHaveLength(3);
  });

  it("shuffles anew each epoch, and repeats after manualSeed", async () => {
    const run = async () => {
      manualSeed(1);
      const loader = new DataLoader(data, { batchSize: 4, shuffle: true });
      return [await epochOf(loader), await epochOf(loader)];
    };
    const [first, second] = await run();
    expect(first).not.toEqual(second);
    expect(first.flat().sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await run()).toEqual([first, second]);
  });

  it("begins a new epoch after a loop that was left", async () => {
    const loader = new DataLoader(data, { batchSize: 4, shuffle: true, seed: 3 });
    for await (const _ of loader) break;
    expect(loader.state()).toEqual({ seed: 3, epoch: 0, position: 1 });
    const second = await epochOf(loader);
    expect(second).toEqual(await epochOf(restored({ seed: 3, epoch: 1, position: 0 })));
    expect(loader.state()).toEqual({ seed: 3, epoch: 2, position: 0 });
  });

  it("goes on exactly where a state was taken, at every position of two epochs", async () => {
    const loader = new DataLoader(data, { batchSize: 4, shuffle: true, seed: 9 });
    const all: unknown[] = [];
    const states: LoaderState[] = [];
    for (let epoch = 0; epoch < 2; epoch++) {
      for await (const [, y] of loader) {
        all.push(y.toArray());
        states.push(loader.state());
      }
    }
    for (const [k, state] of states.entries()) {
      const again = restored(state);
      const rest: unknown[] = [];
      while (rest.length < all.length - k - 1) rest.push(...(await epochOf(again)));
      expect(rest).toEqual(all.slice(k + 1));
    }
  });

  it("iterates over a named epoch from a named batch", () => {
    const loader = new DataLoader(data, { batchSize: 4, shuffle: true, seed: 9 });
    const whole = [...loader.iterate({ epoch: 5 })];
    const rest = [...loader.iterate({ epoch: 5, start: 1 })];
    expect(rest.map(String)).toEqual(whole.slice(1).map(String));
    expect(loader.state()).toEqual({ seed: 9, epoch: 6, position: 0 });
    expect(() => [...loader.iterate({ start: 4 })]).toThrow("start 4 is past the end: an epoch has 3 batches");
    expect(() => loader.setState({ seed: 9, epoch: 0, position: 4 })).toThrow("position 4 is past the end");
    expect(() => loader.setState({ seed: 9, epoch: -1, position: 0 })).toThrow("epoch must be a whole number");
  });

  it("takes a sampler, a collate function and a transform of batches", () => {
    const loader = new DataLoader(data, {
      batchSize: 2,
      sampler: { length: 3, indices: () => [9, 0, 5] },
      collate: (items) => items.map(([, y]) => y.item()),
      batchTransform: (batch) => batch.map((y) => y * 2),
    });
    expectTypeOf(loader).toEqualTypeOf<DataLoader<readonly [Tensor, Tensor], number[]>>();
    expect([...loader.iterate()]).toEqual([[18, 0], [10]]);
    expect(() => new DataLoader(data, { shuffle: true, sampler: loader.sampler })).toThrow(
      "leave out shuffle and seed",
    );
    expect(() => new DataLoader(data, { batchSize: 0 })).toThrow("batchSize must be a whole number from 1, got 0");
    expect(() => new DataLoader(data, { prefetch: -1 })).toThrow("prefetch must be a whole number from 0, got -1");
  });

  it("has no batches of an empty dataset", () => {
    const loader = new DataLoader(data.slice(0, 0));
    expect([loader.length, ...loader.iterate()]).toEqual([0]);
  });

  function restored(state: LoaderState): DataLoader<readonly [Tensor, Tensor]> {
    const loader = new DataLoader(data, { batchSize: 4, shuffle: true, seed: 1000 });
    loader.setState(state);
    return loader;
  }
});

describe("DataLoader over promises", () => {
  it("fetches ahead no further than told, and keeps the order", async () => {
    const log: number[] = [];
    const loader = new DataLoader(slow(20, log), { batchSize: 2, prefetch: 2, concurrency: 3 });
    const seen: unknown[] = [];
    for await (const batch of loader) {
      seen.push(batch.toArray());
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(log.length).toBeLessThanOrEqual((seen.length + 2) * 2);
    }
    expect(seen.flat()).toEqual(Array.from({ length: 20 }, (_, i) => i));
    expect(log.length).toBe(20);
  });

  it("asks for no more items at a time than told", async () => {
    let pending = 0;
    let most = 0;
    const counted: Dataset<number> = {
      length: 40,
      async get(i) {
        most = Math.max(most, ++pending);
        await new Promise((resolve) => setTimeout(resolve, i % 3));
        pending--;
        return i;
      },
    };
    const loader = new DataLoader(counted, { batchSize: 20, prefetch: 0, concurrency: 4 });
    const all: unknown[] = [];
    for await (const batch of loader) all.push(batch.toArray());
    expect(all.flat()).toEqual(Array.from({ length: 40 }, (_, i) => i));
    expect(most).toBe(4);
  });

  it("gives the batches before a damaged one, then its error", async () => {
    const seen: unknown[] = [];
    const run = async () => {
      for await (const batch of new DataLoader(slow(12, [], 5), { batchSize: 2, prefetch: 3 })) {
        seen.push(batch.toArray());
        await new Promise((resolve) => setTimeout(resolve, 10)); // the error lies in wait and must not escape
      }
    };
    await expect(run()).rejects.toThrow("item 5 is damaged");
    expect(seen).toEqual([
      [0, 1],
      [2, 3],
    ]);
  });

  it("keeps an error thrown at once for its batch too", async () => {
    const thrower: Dataset<number> = {
      length: 6,
      get(i) {
        if (i === 3) throw new Error("no item 3");
        return Promise.resolve(i);
      },
    };
    const seen: unknown[] = [];
    const run = async () => {
      for await (const batch of new DataLoader(thrower, { batchSize: 1 })) seen.push(batch.item());
    };
    await expect(run()).rejects.toThrow("no item 3");
    expect(seen).toEqual([0, 1, 2]);
  });

  it("stops fetching when the loop is left", async () => {
    const log: number[] = [];
    for await (const _ of new DataLoader(slow(1000, log), { batchSize: 100, prefetch: 2, concurrency: 1 })) break;
    const asked = log.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(log.length).toBe(asked);
    expect(asked).toBeLessThan(400);
  });

  it("takes datasets where only some items are promised", async () => {
    const mixed: Dataset<number> = { length: 9, get: (i) => (i % 4 === 3 ? Promise.resolve(i) : i) };
    const all: unknown[] = [];
    for await (const batch of new DataLoader(mixed, { batchSize: 2 })) all.push(batch.toArray());
    expect(all).toEqual([[0, 1], [2, 3], [4, 5], [6, 7], [8]]);
  });
});

describe("DataLoaders", () => {
  it("shuffles training only, and validates with twice the batch size", async () => {
    const dls = DataLoaders.fromDatasets(data, data, { batchSize: 4, dropLast: true, seed: 2, classes: ["a"] });
    expectTypeOf(dls).toEqualTypeOf<DataLoaders<readonly [Tensor, Tensor]>>();
    expect([dls.train.length, dls.valid.length]).toEqual([2, 2]);
    const valid = [
      [0, 1, 2, 3, 4, 5, 6, 7],
      [8, 9],
    ];
    expect(await epochOf(dls.valid)).toEqual(valid);
    expect(await epochOf(dls.valid)).toEqual(valid);
    expect(await epochOf(dls.train)).not.toEqual(await epochOf(dls.train));
    expect(dls.train.dataset).toBe(data);
    expect(dls.classes).toEqual(["a"]);
    expect(dls.test).toBeUndefined();
  });

  it("takes loaders as they are, a sampler, and a test part", async () => {
    const own = new DataLoaders(new DataLoader(data), new DataLoader(data));
    expect(own.train.length).toBe(1);
    const sampler = { length: 2, indices: () => [7, 7] };
    const dls = DataLoaders.fromDatasets(data, data, { sampler, test: data.slice(0, 3), validBatchSize: 3 });
    expect(await epochOf(dls.train)).toEqual([[7, 7]]);
    expect([dls.valid.length, dls.test?.length]).toEqual([4, 1]);
  });
});

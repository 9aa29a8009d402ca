import { describe, expect, it } from "vitest";
import { manualSeed } from "../tensor/index.ts";
import { BatchSampler, RandomSampler, SequentialSampler, WeightedRandomSampler } from "./sampler.ts";

const sorted = (values: Iterable<number>) => [...values].sort((a, b) => a - b);

describe("samplers", () => {
  it("goes in order", () => {
    const batches = new BatchSampler(new SequentialSampler(10), 3);
    expect(batches.length).toBe(4);
    expect(batches.batches(0).map((batch) => [...batch])).toEqual([[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]);
    const full = new BatchSampler(new SequentialSampler(10), 3, { dropLast: true });
    expect([full.length, full.batches(0).length]).toEqual([3, 3]);
    const even = new BatchSampler(new SequentialSampler(9), 3, { dropLast: true });
    expect(even.batches(0).map((batch) => batch.length)).toEqual([3, 3, 3]);
  });

  it("shuffles by seed and epoch only", () => {
    const sampler = new RandomSampler(100, { seed: 7 });
    const first = sampler.indices(0);
    const second = sampler.indices(1);
    expect(sorted(first)).toEqual(sorted(new SequentialSampler(100).indices()));
    expect(second).not.toEqual(first);
    expect(new RandomSampler(100, { seed: 7 }).indices(1)).toEqual(second);
    expect(sampler.indices(0)).toEqual(first);
    expect(new RandomSampler(100, { seed: 8 }).indices(0)).not.toEqual(first);
  });

  it("repeats after manualSeed, and differs between samplers", () => {
    manualSeed(5);
    const a = new RandomSampler(50);
    const b = new RandomSampler(50);
    manualSeed(5);
    expect(new RandomSampler(50).indices(3)).toEqual(a.indices(3));
    expect(b.seed).not.toBe(a.seed);
  });

  it("puts every item in every place equally often", () => {
    const counts = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
    const sampler = new RandomSampler(4, { seed: 11 });
    for (let epoch = 0; epoch < 4000; epoch++) {
      for (const [place, item] of sampler.indices(epoch).entries()) counts[place][item]++;
    }
    // 1000 each; the standard deviation is 27
    for (const row of counts) for (const count of row) expect(Math.abs(count - 1000)).toBeLessThan(140);
  });

  it("draws by weight", () => {
    const sampler = new WeightedRandomSampler([0, 1, 3, 0], { length: 4000, seed: 2 });
    const draws = [...sampler.indices(0)];
    expect(draws).toHaveLength(4000);
    expect(new Set(draws)).toEqual(new Set([1, 2]));
    expect(Math.abs(draws.filter((i) => i === 2).length - 3000)).toBeLessThan(140);
    expect([...sampler.indices(0)]).toEqual(draws);
    expect([...sampler.indices(1)]).not.toEqual(draws);
  });

  it("refuses what makes no sense", () => {
    expect(() => new WeightedRandomSampler([1, -1])).toThrow("got -1 for item 1");
    expect(() => new WeightedRandomSampler([0, 0])).toThrow("finite sum above 0, got 0");
    expect(() => new WeightedRandomSampler([Number.NaN])).toThrow("got NaN for item 0");
    expect(() => new WeightedRandomSampler([])).toThrow("got 0");
    expect(() => new RandomSampler(-1)).toThrow("length must be a whole number from 0, got -1");
    expect(() => new RandomSampler(1, { seed: 0.5 })).toThrow("got 0.5");
    expect(() => new RandomSampler(1, { seed: 1 }).indices(2 ** 31)).toThrow("2147483648");
    expect(() => new BatchSampler(new SequentialSampler(3), 0)).toThrow(
      "batchSize must be a whole number from 1, got 0",
    );
    const short = new BatchSampler({ length: 3, indices: () => [0] }, 2);
    expect(() => short.batches(0)).toThrow("the sampler gave 1 indices for epoch 0, its length is 3");
  });
});

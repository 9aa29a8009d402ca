import { expect, test } from "vitest";
import { ArgumentError } from "../../backend/errors.ts";
import { DataLoader, DataLoaders, SequentialSampler, TensorDataset } from "../../data/index.ts";
import { crossEntropy } from "../../nn/functional.ts";
import { Linear, ReLU, Sequential } from "../../nn/index.ts";
import { sgd } from "../../optim/index.ts";
import { manualSeed, randint, randn, type Tensor } from "../../tensor/index.ts";
import type { Callback } from "../callback.ts";
import { CancelBackward, CancelBatch, CancelPass } from "../cancel.ts";
import { Learner } from "../learner.ts";
import { GradientAccumulation } from "./gradientAccumulation.ts";
import { GradientClip } from "./gradientClip.ts";

function learner(items: number, batchSize: number): Learner {
  manualSeed(7);
  const data = new TensorDataset(randn([items, 5]), randint(0, 3, [items]));
  const model = new Sequential(new Linear(5, 8), new ReLU(), new Linear(8, 3));
  const train = new DataLoader(data, { batchSize, sampler: new SequentialSampler(items) });
  const dls = new DataLoaders<readonly Tensor[]>(train, new DataLoader(data, { batchSize }));
  const optimizer: typeof sgd = (params, hypers) => sgd(params, { ...hypers, momentum: 0.9 });
  return new Learner(dls, model, { loss: crossEntropy, progress: false, optimizer, lr: 0.1 });
}

const weights = (learn: Learner): number[] => learn.model.parameters().flatMap((p) => [...p.toTypedArray()]);

function difference(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((x, i) => Math.abs(x - b[i])));
}

test("property: k batches of n are one batch of k·n, also with trailing groups and unequal batches", async () => {
  let seed = 1;
  const random = (low: number, high: number): number => {
    seed = (seed * 48271) % 2147483647;
    return low + (seed % (high - low + 1));
  };
  for (let round = 0; round < 12; round++) {
    const [items, size, k] = [random(5, 40), random(1, 6), random(1, 5)];
    const small = learner(items, size);
    const big = learner(items, size * k);
    await small.fit(2, { valid: false, callbacks: [new GradientAccumulation(k)] });
    await big.fit(2, { valid: false });
    expect(difference(weights(small), weights(big)), `${items} items, ${k} × ${size}`).toBeLessThan(2e-6);
  }
});

test("metrics and recorder see each batch's own loss, and steps are those of groups", async () => {
  const learn = learner(20, 3);
  let steps = 0;
  const count: Callback = { afterStep: () => void steps++ };
  await learn.fit(1, { lr: 0, callbacks: [new GradientAccumulation(3), count] });
  expect(steps).toBe(3);
  const { train, valid } = learn.recorder.records[0];
  expect(train?.loss).toBeCloseTo(valid?.loss ?? Number.NaN, 6);
  expect(learn.recorder.losses.length).toBe(7);
});

test("a group whose last batch has no gradients still steps; a cancelled pass leaves none behind", async () => {
  const learn = learner(12, 3);
  const before = weights(learn);
  const skip: Callback = {
    beforeBackward: (l) => {
      if (l.iteration === 3) throw new CancelBackward();
    },
  };
  await learn.fit(1, { valid: false, callbacks: [new GradientAccumulation(4), skip] });
  expect(difference(before, weights(learn))).toBeGreaterThan(0);

  const cut = learner(12, 3);
  const start = weights(cut);
  const stop: Callback = {
    afterBatch: () => {
      throw new CancelPass();
    },
  };
  await cut.fit(1, { valid: false, callbacks: [new GradientAccumulation(4), stop] });
  expect(weights(cut)).toEqual(start);
  expect(cut.model.parameters().every((p) => p.grad === undefined)).toBe(true);
});

test("a batch cancelled before its gradients is left out of its group", async () => {
  const full = learner(12, 3);
  const skip: Callback = {
    beforeBatch: (l) => {
      if (l.iteration === 1) throw new CancelBatch();
    },
  };
  await full.fit(1, { valid: false, callbacks: [new GradientAccumulation(4), skip] });
  // The same without batch 1: groups of unequal weight would show here.
  const other = learner(12, 3);
  const all = other.dls.train;
  const batches: (readonly Tensor[])[] = [];
  for await (const batch of all) batches.push(batch);
  const [x, y] = [0, 1].map((i) => batches[0][i].cat([batches[2][i], batches[3][i]]));
  const one = new TensorDataset(x, y);
  other.dls = new DataLoaders<readonly Tensor[]>(new DataLoader(one, { batchSize: 9 }), other.dls.valid);
  await other.fit(1, { valid: false });
  expect(difference(weights(full), weights(other))).toBeLessThan(2e-6);
});

test("clipping by norm and by value acts on the accumulated gradient, before the step", async () => {
  const learn = learner(20, 5);
  const seen: number[] = [];
  const watch: Callback = {
    order: 80,
    beforeStep: (l) => {
      const squares = l.model.parameters().map((p) => p.grad?.square().sum().item() ?? 0);
      seen.push(Math.sqrt(squares.reduce((a, b) => a + b)));
    },
  };
  const clip = new GradientClip({ norm: 0.01 });
  await learn.fit(1, { callbacks: [watch, clip, new GradientAccumulation(2)] });
  expect(seen).toHaveLength(2);
  for (const norm of seen) expect(norm).toBeCloseTo(0.01, 4);
  expect(clip.lastNorm).toBeGreaterThan(0.01);
  let largest = 0;
  const look: Callback = {
    order: 80,
    beforeStep: (l) => {
      for (const p of l.model.parameters()) largest = Math.max(largest, p.grad?.abs().max().item() ?? 0);
    },
  };
  await learn.fit(1, { callbacks: [new GradientClip({ value: 0.001 }), look] });
  expect(largest).toBeCloseTo(0.001, 8);
  expect(() => new GradientClip({})).toThrow(ArgumentError);
  expect(() => new GradientClip({ norm: -1 })).toThrow(ArgumentError);
  expect(() => new GradientAccumulation(0)).toThrow(ArgumentError);
});

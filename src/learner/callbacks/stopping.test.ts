import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { ArgumentError } from "../../backend/errors.ts";
import { DataLoaders, TensorDataset } from "../../data/index.ts";
import { loadSafetensors } from "../../io/index.ts";
import { crossEntropy } from "../../nn/functional.ts";
import { Linear } from "../../nn/index.ts";
import { manualSeed, noGrad, randint, randn } from "../../tensor/index.ts";
import type { Callback } from "../callback.ts";
import { Learner, type LearnerOptions } from "../learner.ts";
import { accuracy } from "../metrics.ts";
import { EarlyStopping } from "./earlyStopping.ts";
import { ReduceLrOnPlateau } from "./reduceLrOnPlateau.ts";
import { SaveBest } from "./saveBest.ts";

let folder: string | undefined;
afterEach(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true });
  folder = undefined;
});

function learner(options: Partial<LearnerOptions> = {}): Learner {
  manualSeed(4);
  const data = new TensorDataset(randn([24, 4]), randint(0, 2, [24]));
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 8 });
  return new Learner(dls, new Linear(4, 2), { loss: crossEntropy, progress: false, metrics: { accuracy }, ...options });
}

const weights = (learn: Learner): number[] => learn.model.parameters().flatMap((p) => [...p.toTypedArray()]);

/** Damages the weights after some epochs, so that the figures get worse. */
function worsening(from: number): Callback {
  return {
    order: -50,
    beforeEpoch: (learn) => {
      if (learn.epoch >= from) noGrad(() => learn.model.parameters()[0].mul_(3));
    },
  };
}

test("early stopping ends the fit after its patience and can give the best weights back", async () => {
  const learn = learner({ lr: 0.05 });
  const best: number[][] = [];
  const watch: Callback = { afterEpoch: (l) => void best.push(weights(l)) };
  const stop = new EarlyStopping({ patience: 2, restoreBest: true });
  await learn.fit(20, { callbacks: [stop, worsening(3), watch] });
  const losses = learn.recorder.records.map(({ valid }) => valid?.loss ?? Number.NaN);
  const first = losses.indexOf(Math.min(...losses));
  expect(losses.length).toBe(first + 3);
  expect(stop.best).toEqual({ value: losses[first], epoch: first });
  expect(weights(learn)).toEqual(best[first]);
  expect(learn.stopReason).toContain('"valid.loss" has not improved');
  // Another fit counts anew.
  await learn.fit(2, { callbacks: [stop] });
  expect(learn.recorder.records.length).toBe(losses.length + 2);
});

test("figures: functions, modes, minDelta, NaN, and names that are not there", async () => {
  const values = [1, 0.95, 0.5, Number.NaN, 0.49, 0.4];
  const stop = new EarlyStopping({ monitor: ({ epoch }) => values[epoch], mode: "min", minDelta: 0.1, patience: 3 });
  const learn = learner();
  await learn.fit(6, { train: false, callbacks: [stop] });
  expect(learn.recorder.records.length).toBe(6);
  expect(stop.best).toEqual({ value: 0.5, epoch: 2 });
  expect(stop.waited).toBe(3);
  const rising = new EarlyStopping({ monitor: ({ epoch }) => epoch, mode: "max", patience: 1 });
  await learn.fit(4, { train: false, callbacks: [rising] });
  expect(rising.best?.epoch).toBe(3);
  expect(() => new EarlyStopping({ monitor: "valid.accuracy" })).toThrow(ArgumentError);
  expect(() => new EarlyStopping({ patience: 0 })).toThrow(ArgumentError);
  const unknown = new EarlyStopping({ monitor: "valid.f1", mode: "max" });
  await expect(learn.fit(1, { callbacks: [unknown] })).rejects.toThrow(/valid\.accuracy/);
});

test("early stopping goes on from its state", async () => {
  const make = (): EarlyStopping => new EarlyStopping({ monitor: ({ epoch }) => epoch, mode: "min", patience: 3 });
  const first = make();
  await learner().fit(2, { train: false, callbacks: [first] });
  const second = make();
  const saved = JSON.parse(JSON.stringify(first.state()));
  const resume: Callback = { order: 1000, beforeFit: () => second.loadState(saved) };
  const learn = learner();
  await learn.fit(9, { train: false, callbacks: [second, resume] });
  // The resumed run has waited once already, and its epoch 0 equals the best.
  expect(learn.recorder.records.length).toBe(2);
  expect(second.best).toEqual({ value: 0, epoch: 0 });
});

test("the best weights are kept in memory or in a file, and put back on request", async () => {
  folder = await mkdtemp(join(tmpdir(), "kindling-"));
  const path = join(folder, "deep", "best.safetensors");
  const learn = learner({ lr: 0.05 });
  const all: number[][] = [];
  const watch: Callback = { afterEpoch: (l) => void all.push(weights(l)) };
  const inMemory = new SaveBest({ restore: true });
  const inFile = new SaveBest({ path });
  await learn.fit(5, { callbacks: [inMemory, inFile, worsening(3), watch] });
  const epoch = inMemory.best?.epoch ?? -1;
  expect(epoch).toBeLessThan(4);
  expect(weights(learn)).toEqual(all[epoch]);
  const { metadata } = await loadSafetensors(path);
  expect(metadata).toEqual({ epoch: String(epoch), value: String(inFile.best?.value) });
  noGrad(() => learn.model.parameters()[0].zero_());
  expect(await inFile.load(learn.model)).toBe(true);
  expect(weights(learn)).toEqual(all[epoch]);
  // A new process knows the best by its state and the file.
  const resumed = new SaveBest({ path });
  resumed.loadState(JSON.parse(JSON.stringify(inFile.state())));
  expect(resumed.best).toEqual(inFile.best);
  expect(await resumed.load(learn.model)).toBe(true);
  expect(await new SaveBest().load(learn.model)).toBe(false);
});

test("a real error leaves the weights as they were when it arose", async () => {
  const learn = learner({ lr: 0.05 });
  let last: number[] = [];
  const fail: Callback = {
    order: 600,
    afterEpoch: (l) => {
      last = weights(l);
      if (l.epoch === 4) throw new Error("no more");
    },
  };
  const fit = learn.fit(9, { callbacks: [new SaveBest({ restore: true }), worsening(2), fail] });
  await expect(fit).rejects.toThrow("no more");
  expect(weights(learn)).toEqual(last);
});

test("learning rates fall on a plateau, for all groups, down to a floor and with a cool-down", async () => {
  const rates: number[][] = [];
  const learn = learner({ splitter: (model) => model.parameters().map((p) => [p]) });
  const watch: Callback = {
    order: 300,
    afterEpoch: (l) => void rates.push(l.optimizer.paramGroups.map(({ hypers }) => hypers.lr)),
  };
  const reduce = new ReduceLrOnPlateau({ factor: 0.5, patience: 2, cooldown: 1, minLr: 0.15 });
  await learn.fit(9, { train: false, lr: [0.4, 0.1], callbacks: [reduce, watch] });
  expect(rates.map(([first]) => first)).toEqual([0.4, 0.4, 0.2, 0.2, 0.2, 0.15, 0.15, 0.15, 0.15]);
  expect(rates.every(([, second]) => second === 0.1)).toBe(true);
  expect(() => new ReduceLrOnPlateau({ factor: 1 })).toThrow(ArgumentError);
});

test("lrFind between fits moves none of them", async () => {
  const stop = new EarlyStopping({ patience: 1 });
  const best = new SaveBest();
  const learn = learner({ callbacks: [stop, best, new ReduceLrOnPlateau()], lr: 0.05 });
  await learn.fit(2);
  const before = [stop.best, best.best];
  await learn.lrFind({ numIter: 30 });
  expect(best.best).toEqual(before[1]);
  expect(await best.load(learn.model)).toBe(true);
  await learn.fit(2);
  expect(stop.best).toBeDefined();
});

import { expect, test } from "vitest";
import { ArgumentError } from "../../backend/errors.ts";
import { TensorDataset } from "../../data/dataset.ts";
import { DataLoaders } from "../../data/loaders.ts";
import { Sequential } from "../../nn/containers.ts";
import { mse } from "../../nn/functional.ts";
import { Linear } from "../../nn/linear.ts";
import { adam } from "../../optim/adam.ts";
import { schedCos, schedExp, schedLin } from "../../optim/schedules/annealers.ts";
import { sgd } from "../../optim/sgd.ts";
import { randn } from "../../tensor/random.ts";
import type { Callback } from "../callback.ts";
import { Learner } from "../learner.ts";
import type { LearnerOptions } from "../options.ts";
import { OneCycle } from "./oneCycle.ts";
import { ParamScheduler } from "./paramScheduler.ts";

const momentumSgd: NonNullable<LearnerOptions["optimizer"]> = (params, { lr }) => sgd(params, { lr, momentum: 0.9 });

function learner(options: Partial<LearnerOptions> = {}): Learner {
  const data = new TensorDataset(randn([40, 3]), randn([40, 1]));
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 10 });
  const model = new Sequential(new Linear(3, 4), new Linear(4, 1));
  return new Learner(dls, model, { loss: mse, progress: false, ...options });
}

const twoGroups: NonNullable<LearnerOptions["splitter"]> = (model) => {
  const [body, head] = model.children();
  return [body.parameters(), head.parameters()];
};

test("the recorded curves are the schedules at positions 0 to below 1", async () => {
  const learn = learner({ optimizer: momentumSgd });
  const lr = schedCos(0.1, 0.001);
  const momentum = schedLin(0.95, 0.8);
  await learn.fit(2, { callbacks: [new ParamScheduler({ lr }), new ParamScheduler({ momentum })] });
  const positions = Array.from({ length: 8 }, (_, i) => i / 8);
  expect(learn.recorder.hypers["lr"]).toEqual(positions.map((p) => lr(p)));
  expect(learn.recorder.hypers["momentum"]).toEqual(positions.map((p) => momentum(p)));
  expect(learn.optimizer.paramGroups[0].hypers["momentum"], "the last value stays").toBe(momentum(7 / 8));
});

test("one schedule per group", async () => {
  const learn = learner({ splitter: twoGroups });
  const seen: number[][] = [];
  const watch: Callback = {
    beforeStep: ({ optimizer }) => void seen.push(optimizer.paramGroups.map(({ hypers }) => hypers["lr"])),
  };
  const lr = [schedExp(1e-3, 1e-1), schedLin(0.1, 0)];
  await learn.fit(1, { callbacks: [new ParamScheduler({ lr }), watch] });
  expect(seen).toEqual([0, 0.25, 0.5, 0.75].map((p) => lr.map((sched) => sched(p))));
});

test("unknown names and wrong numbers of groups are refused before the first batch", async () => {
  const learn = learner();
  const before = learn.model.parameters().map((p) => p.toArray());
  const fitWith = (scheduler: Callback) => learn.fit(1, { callbacks: [scheduler] });
  await expect(fitWith(new ParamScheduler({ mom: schedLin(0, 1) }))).rejects.toThrow(
    /unknown hyper-parameter "mom". Known: lr/,
  );
  await expect(fitWith(new ParamScheduler({ lr: [schedLin(0, 1), schedLin(0, 1)] }))).rejects.toThrow(
    /2 schedules for 1 groups/,
  );
  await expect(fitWith(new OneCycle({ lrMax: 0.1, momentum: [0.9, 0.8, 0.9] }))).rejects.toThrow(ArgumentError);
  expect(learn.model.parameters().map((p) => p.toArray())).toEqual(before);
});

test("one cycle starts at a tenth, peaks at pctStart and ends near 0, momentum the other way", async () => {
  const learn = learner({ optimizer: momentumSgd });
  await learn.fitOneCycle(25, { lr: 0.1, pctStart: 0.5 });
  const { lr, momentum } = learn.recorder.hypers;
  expect(lr.length).toBe(100);
  expect(lr[0]).toBeCloseTo(0.01, 12);
  expect(lr[50]).toBeCloseTo(0.1, 12);
  expect(lr[99]).toBeLessThan(2e-4);
  expect([momentum[0], momentum[50]].map((m) => Number(m.toFixed(9)))).toEqual([0.95, 0.85]);
  expect(momentum[99]).toBeGreaterThan(0.9499);
});

test("one cycle with a list: the first batch of sched_1cycle([0, 3e-2], .5)", async () => {
  const learn = learner({ optimizer: (params, { lr }) => adam(params, { lr }), splitter: twoGroups });
  const first: Record<string, number>[] = [];
  const look: Callback = {
    beforeStep: ({ optimizer, steps }) => {
      if (steps === 0) first.push(...optimizer.paramGroups.map(({ hypers }) => ({ ...hypers })));
    },
  };
  await learn.fit(1, { callbacks: [new OneCycle({ lrMax: [0, 3e-2], pctStart: 0.5 }), look] });
  expect(first).toMatchObject([
    { momentum: 0.95, lr: 0 },
    { momentum: 0.95, lr: 0.003 },
  ]);
});

test("one cycle leaves optimizers without momentum alone", async () => {
  const learn = learner();
  await learn.fitOneCycle(1, { lr: 0.1 });
  expect(Object.keys(learn.recorder.hypers)).not.toContain("momentum");
});

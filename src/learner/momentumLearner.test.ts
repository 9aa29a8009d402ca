import { expect, test } from "vitest";
import { ArgumentError } from "../backend/errors.ts";
import { DataLoader, DataLoaders, TensorDataset } from "../data/index.ts";
import { crossEntropy } from "../nn/functional.ts";
import { Linear, Sequential } from "../nn/index.ts";
import { type OptimizerFactory, sgd } from "../optim/index.ts";
import { manualSeed, randint, randn, type Tensor } from "../tensor/index.ts";
import { Learner } from "./learner.ts";
import { MomentumLearner } from "./momentumLearner.ts";

function parts(): { dls: DataLoaders<readonly Tensor[]>; model: Sequential } {
  manualSeed(10);
  const data = new TensorDataset(randn([32, 4]), randint(0, 2, [32]));
  const loader = new DataLoader(data, { batchSize: 8 });
  return { dls: new DataLoaders(loader, loader), model: new Sequential(new Linear(4, 8), new Linear(8, 2)) };
}

test("it is SGD with momentum, by another way", async () => {
  const { dls, model } = parts();
  const learn = new MomentumLearner(dls, model, { loss: crossEntropy, momentum: 0.9, lr: 0.05, progress: false });
  await learn.fit(3);
  const same = parts();
  const optimizer: OptimizerFactory = (params, hypers) => sgd(params, { ...hypers, momentum: 0.9 });
  const reference = new Learner(same.dls, same.model, { loss: crossEntropy, optimizer, lr: 0.05, progress: false });
  await reference.fit(3);
  expect(learn.recorder.losses).toHaveLength(12);
  learn.recorder.losses.forEach((loss, i) => {
    expect(loss).toBeCloseTo(reference.recorder.losses[i], 5);
  });
});

test("nothing is kept into the next fit, also after an error; frozen parameters are fine", async () => {
  const { dls, model } = parts();
  model.children()[0].requiresGrad_(false);
  const learn = new MomentumLearner(dls, model, { loss: crossEntropy, progress: false });
  expect(learn.momentum).toBe(0.85);
  const frozen = [...model.parameters()[0].toTypedArray()];
  let kept = 0;
  const look = {
    afterBatch: () => {
      if (model.parameters()[2].grad !== undefined) kept++;
    },
  };
  await learn.fit(1, { valid: false, callbacks: [look] });
  expect(kept).toBe(4);
  expect(model.parameters().every((p) => p.grad === undefined)).toBe(true);
  const fail = {
    afterBatch: () => {
      throw new Error("no more");
    },
  };
  await expect(learn.fit(1, { callbacks: [fail] })).rejects.toThrow("no more");
  expect(model.parameters().every((p) => p.grad === undefined)).toBe(true);
  expect([...model.parameters()[0].toTypedArray()]).toEqual(frozen);
  expect(() => new MomentumLearner(dls, model, { loss: crossEntropy, momentum: 1 })).toThrow(ArgumentError);
});

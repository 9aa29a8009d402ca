import { expect, test } from "vitest";
import { ArgumentError } from "../../backend/errors.ts";
import { DataLoaders, TensorDataset } from "../../data/index.ts";
import { crossEntropy } from "../../nn/functional.ts";
import { Linear, ReLU, Sequential } from "../../nn/index.ts";
import { adam } from "../../optim/index.ts";
import { defaultDevice, manualSeed, randint, randn, zeros } from "../../tensor/index.ts";
import { Learner, type LearnerOptions } from "../learner.ts";
import { BatchTransform } from "./batchTransform.ts";
import { Debug } from "./debug.ts";
import { DeviceMover } from "./device.ts";
import { OverfitOneBatch, SingleBatch } from "./singleBatch.ts";

function learner(options: Partial<LearnerOptions> = {}): Learner {
  manualSeed(8);
  const data = new TensorDataset(randn([40, 4]), randint(0, 2, [40]));
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 8 });
  const model = new Sequential(new Linear(4, 32), new ReLU(), new Linear(32, 2));
  return new Learner(dls, model, { loss: crossEntropy, progress: false, ...options });
}

test("a single batch is trained on, and can be looked at afterwards", async () => {
  const learn = learner();
  await learn.fit(5, { callbacks: [new SingleBatch()] });
  expect(learn.recorder.losses).toHaveLength(1);
  expect(learn.preds.shape).toEqual([8, 2]);
  expect(learn.stopReason).toContain("single batch");
  await learn.fit(1);
  expect(learn.recorder.losses).toHaveLength(6);
});

test("one batch is overfitted, another one in the next fit", async () => {
  const learn = learner({ optimizer: adam, lr: 0.02 });
  const inputs = new Set<number>();
  const watch = new Debug("afterPredict", (l) => {
    if (l.training) inputs.add(l.xb.sum().item());
  });
  const overfit = new OverfitOneBatch();
  await learn.fit(15, { valid: false, callbacks: [overfit, watch] });
  expect(inputs.size).toBe(1);
  expect(learn.recorder.losses.at(-1)).toBeLessThan(0.05);
  await learn.fit(1, { callbacks: [overfit, watch] });
  expect(inputs.size).toBe(2);
});

test("debug calls any function at any events, after all others, and awaits it", async () => {
  const calls: string[] = [];
  const learn = learner({ callbacks: [{ order: 998, afterFit: () => void calls.push("before") }] });
  const slow = new Debug(["beforeFit", "afterFit"], async (_, event) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    calls.push(event);
  });
  await learn.fit(1, { callbacks: [slow] });
  expect(calls).toEqual(["beforeFit", "before", "afterFit"]);
});

test("the device mover takes model, batches and the optimizer's state along", async () => {
  const learn = learner({ optimizer: adam });
  await learn.fit(1);
  const mover = new DeviceMover("js");
  const devices = new Set<string>();
  const watch = new Debug("afterPredict", (l) => {
    for (const x of [l.xb, l.yb, l.preds, ...l.batch, ...l.model.parameters()]) devices.add(x.device);
  });
  await learn.fit(2, { callbacks: [mover, watch] });
  expect([...devices]).toEqual(["js"]);
  const { steps, tensors } = learn.optimizer.stateDict();
  expect(new Set(steps)).toEqual(new Set([15]));
  expect([...tensors.values()].every((x) => x.device === "js")).toBe(true);
  const fresh = learner();
  await fresh.validate(fresh.dls.valid, { callbacks: [new DeviceMover("js")] });
  expect(fresh.model.parameters()[0].device).toBe("js");
});

test("training on js and on the default device gives the same losses", async () => {
  const losses: number[][] = [];
  for (const device of ["js", defaultDevice()]) {
    const learn = learner({ callbacks: [new DeviceMover(device)], lr: 0.1 });
    await learn.fit(2);
    losses.push(learn.recorder.losses);
  }
  losses[0].forEach((loss, i) => {
    expect(loss).toBeCloseTo(losses[1][i], 4);
  });
});

test("batch transforms act on inputs, targets or both, in the passes they are for", async () => {
  const seen: [boolean, number, number][] = [];
  const watch = new Debug("afterPredict", (l) => {
    seen.push([l.training, l.xb.abs().sum().item(), l.yb.sum().item()]);
  });
  const blank = new BatchTransform({ xb: (x) => x.mul(0) }, { valid: false });
  const label = new BatchTransform({ yb: (y) => zeros(y.shape, { dtype: "int32" }) }, { train: false });
  await learner().fit(1, { callbacks: [blank, label, watch] });
  expect(seen.filter(([training]) => training).every(([, x]) => x === 0)).toBe(true);
  expect(seen.filter(([training]) => training).some(([, , y]) => y > 0)).toBe(true);
  expect(seen.filter(([training]) => !training).every(([, x, y]) => x > 0 && y === 0)).toBe(true);
  seen.length = 0;
  const both = new BatchTransform((x, y) => [x.mul(0), y.mul(0).to("int32")]);
  await learner().fit(1, { callbacks: [both, watch] });
  expect(seen.every(([, x, y]) => x === 0 && y === 0)).toBe(true);
  expect(() => new BatchTransform({})).toThrow(ArgumentError);
});

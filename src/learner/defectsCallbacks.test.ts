/** Regression tests for defects of the forebears' callbacks, by their numbers in the comparison of training loops. */
import { expect, test } from "vitest";
import { DataLoader, DataLoaders, TensorDataset } from "../data/index.ts";
import { crossEntropy } from "../nn/functional.ts";
import { Linear, Sequential } from "../nn/index.ts";
import { sgd } from "../optim/index.ts";
import { manualSeed, randint, randn, type Tensor, tensor } from "../tensor/index.ts";
import type { Callback } from "./callback.ts";
import { EarlyStopping } from "./callbacks/earlyStopping.ts";
import { OneCycle } from "./callbacks/oneCycle.ts";
import { Profiler } from "./callbacks/profiler.ts";
import { Progress } from "./callbacks/progress.ts";
import { SingleBatch } from "./callbacks/singleBatch.ts";
import { Learner, type LearnerOptions } from "./learner.ts";
import { accuracy } from "./metrics.ts";
import { MomentumLearner } from "./momentumLearner.ts";

function loaders(items = 20): DataLoaders<readonly Tensor[]> {
  const data = new TensorDataset(randn([items, 4]), randint(0, 2, [items]));
  return new DataLoaders(new DataLoader(data, { batchSize: 8 }), new DataLoader(data, { batchSize: 8 }));
}

function learner(options: Partial<LearnerOptions> = {}): Learner {
  manualSeed(11);
  return new Learner(loaders(), new Linear(4, 2), { loss: crossEntropy, progress: false, ...options });
}

test("defect 7: learners that share a list of callbacks do not share temporary ones, and the list stays", async () => {
  let calls = 0;
  const shared: Callback[] = [];
  const [a, b] = [learner({ callbacks: shared }), learner({ callbacks: shared })];
  const own = a.callbacks.length;
  const count: Callback = { beforeFit: () => void calls++ };
  await a.fit(1, { callbacks: [count] });
  await b.fit(1);
  expect(calls).toBe(1);
  expect(shared).toEqual([]);
  expect([a.callbacks.length, b.callbacks.length]).toEqual([own, own]);
});

test("defect 7: temporary callbacks go by identity, also where the same one stays", async () => {
  const stays = new SingleBatch();
  const learn = learner({ callbacks: [stays] });
  await learn.fit(1, { callbacks: [new SingleBatch()] });
  expect(learn.callbacks.filter((callback) => callback instanceof SingleBatch)).toEqual([stays]);
});

test("defect 7: fit with the learner's own callbacks ends", async () => {
  const learn = learner();
  const before = [...learn.callbacks];
  await learn.fit(1, { callbacks: learn.callbacks });
  expect(learn.callbacks).toEqual(before);
  expect(learn.recorder.records).toHaveLength(1);
  expect(learn.recorder.losses).toHaveLength(3);
});

test("defect 8: an optimizer that cannot be made leaves no temporary callbacks, and the learner goes on", async () => {
  let broken = true;
  const learn = learner({
    optimizer: (params, hypers) => {
      if (broken) throw new Error("no optimizer today");
      return sgd(params, hypers);
    },
  });
  let calls = 0;
  const count: Callback = { beforeFit: () => void calls++ };
  await expect(learn.fit(1, { callbacks: [count] })).rejects.toThrow("no optimizer today");
  broken = false;
  await learn.fit(1);
  expect(calls).toBe(0);
});

test("defect 8: defaults are not shared between learners", () => {
  const [a, b] = [learner(), learner()];
  a.addCallback(new SingleBatch());
  expect(b.callback(SingleBatch)).toBeUndefined();
});

test("defect 10: a callback of the same class or name replaces none, and overwrites nothing of the learner", async () => {
  const learn = learner();
  const { model, recorder } = learn;
  const seen: string[] = [];
  const first: Callback = { name: "model", beforeFit: () => void seen.push("first") };
  const second: Callback = { name: "model", beforeFit: () => void seen.push("second") };
  await learn.fit(1, { callbacks: [first, second, { name: "recorder" }] });
  expect(seen).toEqual(["first", "second"]);
  expect(learn.model).toBe(model);
  expect(learn.recorder).toBe(recorder);
});

test("defect 10: callbacks can be copied as data before and after they saw a learner", async () => {
  const stop = new EarlyStopping();
  expect(() => structuredClone(stop.state())).not.toThrow();
  await learner().fit(1, { callbacks: [stop] });
  expect(JSON.parse(JSON.stringify(stop.state()))).toEqual(stop.state());
});

test("defect 12: progress replaces nothing of the metrics and leaves nothing on the learner", async () => {
  const learn = learner({ metrics: { accuracy } });
  const fields = Object.keys(learn).sort();
  const methods = Object.getOwnPropertyNames(learn.metrics).sort();
  const { dls, epochs } = learn;
  await learn.fit(1, { callbacks: [new Progress({ table: true, write: () => undefined })] });
  expect(Object.keys(learn).sort()).toEqual(fields);
  expect(Object.getOwnPropertyNames(learn.metrics).sort()).toEqual(methods);
  expect(learn.dls).toBe(dls);
  expect(learn.epochs).toBe(epochs + 1);
});

test("defect 12: batches of three tensors pass through metrics and progress", async () => {
  manualSeed(12);
  const data = new TensorDataset(randn([16, 4]), randn([16, 3]), randint(0, 2, [16]));
  const loader = new DataLoader(data, { batchSize: 8 });
  const dls = new DataLoaders<readonly Tensor[]>(loader, loader);
  const learn = new Learner(dls, new Linear(4, 2), { loss: crossEntropy, metrics: { accuracy }, progress: false });
  await learn.fit(1, { callbacks: [new Progress({ table: true, write: () => undefined })] });
  expect(learn.recorder.records[0].valid?.accuracy).toBeGreaterThanOrEqual(0);
});

test("defect 12: a fit of no epochs and a validation divide by nothing and print no header", async () => {
  const lines: string[] = [];
  const learn = learner({ callbacks: [new Progress({ table: true, write: (line) => lines.push(line) })] });
  await learn.fit(0, {
    callbacks: [new OneCycle({ lrMax: 0.1 }), new EarlyStopping(), new Profiler({ write: false })],
  });
  await learn.validate();
  expect(lines).toEqual([]);
  expect(learn.model.parameters().every((p) => p.toTypedArray().every(Number.isFinite))).toBe(true);
});

test("defect 13: clean-up runs only where the beginning did, and does not hide the first error", async () => {
  const learn = learner();
  const { lossFunction } = learn;
  const cleaned: string[] = [];
  const swap: Callback = {
    name: "swap",
    order: 10,
    beforeFit: (l) => {
      l.lossFunction = (preds, targets) => lossFunction(preds, targets).mul(2);
    },
    cleanupFit: (l) => {
      cleaned.push("swap");
      l.lossFunction = lossFunction;
    },
  };
  const fails: Callback = {
    order: 5,
    beforeFit: () => {
      throw new Error("cannot begin");
    },
  };
  await expect(learn.fit(1, { callbacks: [swap, fails] })).rejects.toThrow("cannot begin");
  expect(cleaned).toEqual([]);
  expect(learn.lossFunction).toBe(lossFunction);
  await learn.fit(1, { callbacks: [swap] });
  expect(cleaned).toEqual(["swap"]);
  expect(learn.lossFunction).toBe(lossFunction);
});

test("defect 13: a batch of one sample trains and counts", async () => {
  manualSeed(13);
  const learn = new Learner(loaders(9), new Linear(4, 2), {
    loss: crossEntropy,
    metrics: { accuracy },
    progress: false,
  });
  await learn.fit(1);
  expect(learn.xb.shape).toEqual([1, 4]);
  expect(learn.recorder.records[0].train?.accuracy).toBeGreaterThanOrEqual(0);
});

test("defect 15: losses and metrics of unequal batches are weighted by their samples", async () => {
  // 5 of 10, 5 of 10 and 2 of 5 right: 12/25, not the mean of the shares.
  const right = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0];
  const rows = right.map((ok) => (ok === 1 ? [1, 0] : [0, 1]));
  const data = new TensorDataset(
    tensor(rows),
    tensor(
      right.map(() => 0),
      { dtype: "int32" },
    ),
  );
  const loader = new DataLoader(data, { batchSize: 10 });
  const learn = new Learner(new DataLoaders<readonly Tensor[]>(loader, loader), new Sequential(), {
    loss: crossEntropy,
    metrics: { accuracy },
    progress: false,
  });
  const { accuracy: share, loss } = await learn.validate();
  expect(share).toBeCloseTo(0.48, 12);
  expect(loss).toBeCloseTo(crossEntropy(tensor(rows), data.tensors[1]).item(), 6);
});

test("defect 25: momentum by kept gradients: frozen parameters do no harm and nothing carries into the next fit", async () => {
  const run = async (fits: number): Promise<number[]> => {
    manualSeed(14);
    const dls = loaders();
    const model = new Sequential(new Linear(4, 4), new Linear(4, 2));
    model.children()[0].requiresGrad_(false);
    const learn = new MomentumLearner(dls, model, { loss: crossEntropy, lr: 0.1, progress: false });
    if (fits === 2) await learn.fit(1, { lr: 0, valid: false });
    await learn.fit(1, { valid: false });
    return learn.recorder.losses.slice(-3);
  };
  // A first fit without a learning rate leaves the weights; left-over gradients would show in the second.
  expect(await run(2)).toEqual(await run(1));
});

import { expect, test } from "vitest";
import { ArgumentError } from "../backend/errors.ts";
import { TensorDataset } from "../data/dataset.ts";
import { DataLoaders } from "../data/loaders.ts";
import { Sequential } from "../nn/containers.ts";
import { mse } from "../nn/functional.ts";
import { Linear } from "../nn/linear.ts";
import { Module } from "../nn/module.ts";
import { Buffer, Parameter } from "../nn/parameter.ts";
import { ones } from "../tensor/create.ts";
import { randn } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Callback } from "./callback.ts";
import { Learner } from "./learner.ts";

class Scale extends Module {
  readonly gain = new Parameter(ones([4]));
  readonly seen = new Buffer(ones([1]));

  forward(x: Tensor): Tensor {
    return x.mul(this.gain);
  }
}

function learner(): Learner {
  const data = new TensorDataset(randn([40, 3]), randn([40, 1]));
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 10 });
  const model = new Sequential(new Linear(3, 4), new Scale(), new Linear(4, 4), new Linear(4, 1));
  return new Learner(dls, model, {
    loss: mse,
    progress: false,
    splitter: (m) => {
      const [a, scale, b, c] = m.children();
      return [[...a.parameters(), ...scale.parameters()], b.parameters(), c.parameters()];
    },
  });
}

const trainable = ({ model }: Learner): string[] =>
  [...model.namedParameters()].filter(([, p]) => p.requiresGrad).map(([name]) => name);

test("freezing leaves the last groups and layers with running statistics", () => {
  const learn = learner();
  const all = trainable(learn);
  learn.freeze();
  expect(trainable(learn)).toEqual(["1.gain", "3.weight", "3.bias"]);
  learn.freezeTo(1);
  expect(trainable(learn)).toEqual(["1.gain", "2.weight", "2.bias", "3.weight", "3.bias"]);
  learn.freezeTo(-2);
  expect(trainable(learn).length).toBe(5);
  learn.unfreeze();
  expect(trainable(learn)).toEqual(all);
  expect(() => learn.freezeTo(4)).toThrow(ArgumentError);
});

test("frozen parameters are bit-identical after a fit", async () => {
  const learn = learner();
  learn.freeze();
  const frozen = [...learn.model.namedParameters()].filter(([, p]) => !p.requiresGrad);
  const before = frozen.map(([, p]) => p.toTypedArray());
  await learn.fit(2, { lr: 0.1 });
  expect(frozen.map(([, p]) => p.toTypedArray())).toEqual(before);
});

test("fineTune trains the head, then all with rates growing from group to group", async () => {
  const learn = learner();
  const seen: { lrs: number[]; trainable: number }[] = [];
  const look: Callback = {
    beforeStep: (l) =>
      void seen.push({
        lrs: l.optimizer.paramGroups.map(({ hypers }) => hypers["lr"]),
        trainable: trainable(l).length,
      }),
  };
  await learn.fineTune(10, { baseLr: 0.1, callbacks: [look] });
  expect(seen.length).toBe(44);
  expect(seen.slice(0, 4).every(({ trainable: n }) => n === 3)).toBe(true);
  expect(seen.slice(4).every(({ trainable: n }) => n === 7)).toBe(true);
  const top = seen[16].lrs; // pctStart 0.3 of 40 steps
  expect(top.map((lr) => Number(lr.toPrecision(6)))).toEqual([0.0005, 0.005, 0.05]);
  expect(seen[4].lrs[2], "div 5").toBeCloseTo(0.01, 9);
});

test("fineTune unfreezes also when the first stage fails", async () => {
  const learn = learner();
  const fail: Callback = {
    beforeStep: () => {
      throw new Error("out of luck");
    },
  };
  await expect(learn.fineTune(1, { callbacks: [fail] })).rejects.toThrow("out of luck");
  expect(trainable(learn).length).toBe(7);
});

test("flat cosine stays at the rate for its share", async () => {
  const learn = learner();
  await learn.fitFlatCos(10, { lr: 0.01, pctStart: 0.5 });
  const { lr } = learn.recorder.hypers;
  expect(lr.slice(0, 21).every((value) => value === 0.01)).toBe(true);
  expect(lr[30]).toBeCloseTo(0.005, 4);
  expect(lr[39]).toBeLessThan(1e-4);
});

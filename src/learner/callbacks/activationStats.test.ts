import { expect, test } from "vitest";
import { ArgumentError } from "../../backend/errors.ts";
import { TensorDataset } from "../../data/dataset.ts";
import { DataLoaders } from "../../data/loaders.ts";
import { ReLU } from "../../nn/activation.ts";
import { Sequential } from "../../nn/containers.ts";
import { Dropout } from "../../nn/dropout.ts";
import { mse } from "../../nn/functional.ts";
import { Linear } from "../../nn/linear.ts";
import { randn } from "../../tensor/random.ts";
import type { Callback } from "../callback.ts";
import { CancelFit } from "../cancel.ts";
import { Learner } from "../learner.ts";
import { ActivationStats } from "./activationStats.ts";
import { GradientStats } from "./gradientStats.ts";
import { moments } from "./moments.ts";

function learner(): Learner {
  const data = new TensorDataset(randn([40, 3]), randn([40, 1]));
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 10 });
  const model = new Sequential(new Linear(3, 8), new ReLU(), new Dropout(0.1), new Linear(8, 1));
  return new Learner(dls, model, { loss: mse, progress: false });
}

const hooked = (learn: Learner): boolean => learn.model.modules().some((module) => Object.hasOwn(module, "forward"));

test("moments agree with their definition, also far from 0", () => {
  const x = randn([50, 7]).mul(3).add(1000);
  const values = Array.from(x.toTypedArray());
  const mean = values.reduce((a, b) => a + b) / values.length;
  const std = Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length);
  expect(moments(x).mean).toBeCloseTo(mean, 2);
  expect(moments(x).std).toBeCloseTo(std, 3);
});

test("an entry per layer and training step, right by hand", async () => {
  const learn = learner();
  const stats = new ActivationStats({ bins: 4, range: [0, 2] });
  let hidden: number[] = [];
  const handle = learn.model.children()[1].registerForwardHook((_, __, output) => {
    if (learn.training) hidden = Array.from(Object(output).toTypedArray());
  });
  await learn.fit(2, { callbacks: [stats] });
  handle.remove();
  expect(stats.layers.map(({ name }) => name)).toEqual(["0 Linear", "1 ReLU", "3 Linear"]);
  const relu = stats.layers[1];
  expect([relu.mean, relu.std, relu.dead, relu.histograms].map((list) => list.length)).toEqual([8, 8, 8, 8]);
  expect(relu.mean[7]).toBeCloseTo(hidden.reduce((a, b) => a + b) / 80, 5);
  expect(relu.dead[7]).toBe(hidden.filter((x) => Math.abs(x) <= 1e-3).length / 80);
  const bins = [0, 0.5, 1, 1.5].map(
    (low, i) => hidden.filter((x) => x >= low && (x < low + 0.5 || (i === 3 && x === 2))).length,
  );
  expect([...relu.histograms[7]]).toEqual(bins);
  expect(hooked(learn)).toBe(false);
});

test("every n-th step only, and only what the filter takes", async () => {
  const learn = learner();
  const stats = new ActivationStats({ every: 3, filter: (_, path) => path === "1" });
  await learn.fit(2, { callbacks: [stats] });
  expect(stats.layers.map(({ name, mean }) => [name, mean.length])).toEqual([["1 ReLU", 3]]);
  await expect(learn.fit(1, { callbacks: [new ActivationStats({ filter: () => false })] })).rejects.toThrow(
    /passes the filter/,
  );
  expect(() => new ActivationStats({ range: [1, 0] })).toThrow(ArgumentError);
  expect(() => new ActivationStats({ every: 0 })).toThrow(ArgumentError);
});

test.each([new CancelFit("enough"), new Error("out of luck")])("defect 2: hooks are gone after %s", async (problem) => {
  const learn = learner();
  const stop: Callback = {
    afterLoss: ({ steps }) => {
      if (steps === 2) throw problem;
    },
  };
  const fitting = learn.fit(1, { callbacks: [new ActivationStats(), stop] });
  if (problem instanceof CancelFit) await fitting;
  else await expect(fitting).rejects.toThrow("out of luck");
  expect(hooked(learn)).toBe(false);
});

test("the charts are drawn", async () => {
  const learn = learner();
  const [stats, gradients] = [new ActivationStats(), new GradientStats()];
  await learn.fit(1, { callbacks: [stats, gradients] });
  for (const figure of [stats.plotStats(), stats.colorDim(), stats.deadChart(), gradients.plotStats()]) {
    expect(await figure.svg()).toContain("<svg");
  }
  const { recorder } = learn;
  for (const figure of [recorder.plotLoss(), recorder.plotSchedule(), recorder.plotMetrics()]) {
    expect(await figure.svg()).toContain("<svg");
  }
});

test("gradient statistics agree with the tensors at the step", async () => {
  const learn = learner();
  const stats = new GradientStats({ every: 2 });
  const norms: number[] = [];
  const look: Callback = {
    beforeStep: ({ model }) => void norms.push(model.parameters()[0].grad?.norm().item() ?? Number.NaN),
  };
  await learn.fit(1, { callbacks: [stats, look] });
  expect(stats.parameters.map(({ name }) => name)).toEqual(["0.weight", "0.bias", "3.weight", "3.bias"]);
  const { gradient, weight } = stats.parameters[0];
  expect(gradient.norm.length).toBe(2);
  expect(gradient.norm[0]).toBeCloseTo(norms[0], 5);
  expect(gradient.norm[1]).toBeCloseTo(norms[2], 5);
  expect(weight.std[0]).toBeGreaterThan(0);
});

test("a frozen parameter has no gradient to look at", async () => {
  const learn = learner();
  learn.model.children()[0].requiresGrad_(false);
  const stats = new GradientStats({ filter: (path) => path.startsWith("0") });
  await learn.fit(1, { callbacks: [stats] });
  expect(stats.parameters[0].gradient.norm.every(Number.isNaN)).toBe(true);
  expect(stats.parameters[0].weight.norm.every(Number.isFinite)).toBe(true);
});

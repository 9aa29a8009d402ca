import { expect, test } from "vitest";
import { ArgumentError, IndexError, ShapeError } from "../../backend/errors.ts";
import { DataLoaders, TensorDataset } from "../../data/index.ts";
import { crossEntropy, mse } from "../../nn/functional.ts";
import { Linear, Module } from "../../nn/index.ts";
import { manualSeed, ones, randint, randn, type Tensor, tensor, zeros } from "../../tensor/index.ts";
import { Learner } from "../learner.ts";
import { accuracy, averaged, MeanMetric, type Metric, meanLoss } from "../metrics.ts";
import { ConfusionMatrix } from "./confusionMatrix.ts";
import { meanAbsoluteError, meanSquaredError, Perplexity, RootMeanSquaredError } from "./means.ts";
import { Dice, F1, Precision, Recall } from "./precisionRecall.ts";
import { topKAccuracy } from "./topK.ts";

const ints = (data: number[] | number[][]): Tensor => tensor(data, { dtype: "int32" });
const oneHot = (classes: number[], count = 3): Tensor =>
  tensor(classes.map((c) => Array.from({ length: count }, (_, i) => (i === c ? 1 : 0))));

function feed(metric: Metric, preds: Tensor, targets: Tensor, loss = 0): void {
  metric.update({ preds, targets, loss, count: targets.numel() });
}

test("means are weighted: 5/10, 5/10 and 2/5 right make 0.48; 0.6 of 32 and 0.9 of 2 make 0.62 rounded", () => {
  const right = averaged(accuracy);
  for (const [hits, all] of [
    [5, 10],
    [5, 10],
    [2, 5],
  ]) {
    const targets = Array.from({ length: all }, (_, i) => (i < hits ? 0 : 1));
    feed(right, oneHot(new Array(all).fill(0)), ints(targets));
  }
  expect(right.value()).toBeCloseTo(0.48, 12);
  const values = [0.6, 0.9];
  const mean = new MeanMetric(({ loss }) => loss);
  feed(mean, zeros([32]), zeros([32]), values[0]);
  feed(mean, zeros([2]), zeros([2]), values[1]);
  expect(mean.value()).toBeCloseTo((0.6 * 32 + 0.9 * 2) / 34, 12);
  expect(mean.value().toFixed(2)).toBe("0.62");
});

test("miniai's accuracy test gives 0.45, nntrain's mean loss 3.5 and NaN after a reset", () => {
  const metric = averaged(accuracy);
  feed(metric, oneHot([0, 1, 2, 0, 1, 2]), ints([0, 1, 1, 2, 1, 0]));
  feed(metric, oneHot([1, 1, 2, 0, 1]), ints([0, 1, 1, 2, 1]));
  expect(metric.value()).toBeCloseTo(5 / 11, 12);
  const loss = meanLoss();
  feed(loss, zeros([3]), zeros([3]), (1 + 2 + 3) / 3);
  feed(loss, zeros([3]), zeros([3]), (4 + 5 + 6) / 3);
  expect(loss.value()).toBeCloseTo(3.5, 12);
  loss.reset();
  expect(loss.value()).toBeNaN();
});

test("accuracy finds the axis of the classes, and asks where two fit", () => {
  manualSeed(3);
  const images = randn([2, 3, 4, 5]);
  const targets = randint(0, 3, [2, 4, 5]);
  const found = accuracy(images, targets);
  expect(found).toBe(accuracy(images.permute([0, 2, 3, 1]), targets));
  expect(found).toBe(accuracy(images, targets, { axis: 1 }));
  expect(found).toBe(accuracy(images, targets, { axis: -3 }));
  expect(() => accuracy(randn([2, 4, 4]), randint(0, 4, [2, 4]))).toThrow(ArgumentError);
  expect(accuracy(randn([2, 4, 4]), randint(0, 4, [2, 4]), { axis: 1 })).toBeGreaterThanOrEqual(0);
  expect(() => accuracy(randn([2, 3]), randint(0, 3, [5]))).toThrow(ShapeError);
  expect(accuracy(tensor([-1, 2, 3, 4]), ints([0, 1, 0, 1]), { threshold: 0 })).toBe(0.75);
});

test("top-k accuracy counts targets among the k largest", () => {
  const preds = tensor([
    [0.1, 0.5, 0.4],
    [0.7, 0.2, 0.1],
  ]);
  expect([1, 2, 3].map((k) => topKAccuracy(k)(preds, ints([2, 2])))).toEqual([0, 0.5, 1]);
  expect(topKAccuracy(2)(preds.reshape([1, 2, 3]).permute([0, 2, 1]), ints([[2, 2]]))).toBe(0.5);
  expect(() => topKAccuracy(4)(preds, ints([2, 2]))).toThrow(ArgumentError);
  expect(() => topKAccuracy(0)).toThrow(ArgumentError);
});

test("precision, recall and F1 equal scikit-learn's over all batches together", () => {
  // precision_score([0,1,2,0,1,2], [0,2,1,0,0,1]) and so on
  const targets = [0, 1, 2, 0, 1, 2];
  const preds = [0, 2, 1, 0, 0, 1];
  const value = (metric: Metric): number => {
    feed(metric, oneHot(preds.slice(0, 4)), ints(targets.slice(0, 4)));
    feed(metric, oneHot(preds.slice(4)), ints(targets.slice(4)));
    return metric.value();
  };
  expect(value(new Precision({ average: "macro" }))).toBeCloseTo(2 / 9, 12);
  expect(value(new Recall({ average: "macro" }))).toBeCloseTo(1 / 3, 12);
  expect(value(new F1({ average: "macro" }))).toBeCloseTo(0.8 / 3, 12);
  for (const Score of [Precision, Recall, F1]) {
    expect(value(new Score({ average: "micro" }))).toBeCloseTo(1 / 3, 12);
    expect(() => value(new Score())).toThrow(ArgumentError);
  }
});

test("binary scores, another positive class, ignored targets, and nothing at all", () => {
  const preds = oneHot([1, 1, 0, 1], 2);
  const targets = ints([1, 0, 1, -100]);
  const value = (metric: Metric): number => {
    feed(metric, preds, targets);
    return metric.value();
  };
  expect(value(new Precision())).toBe(0.5);
  expect(value(new Recall())).toBe(0.5);
  expect(value(new Recall({ positive: 0 }))).toBe(0);
  expect(new F1().value()).toBeNaN();
  const none = new Precision();
  feed(none, oneHot([0, 0], 2), ints([0, 1]));
  expect(none.value()).toBe(0);
});

test("the confusion matrix accumulates, copies, keeps its state and refuses targets that are no classes", () => {
  const metric = new ConfusionMatrix();
  feed(metric, oneHot([0, 1, 2]), ints([0, 2, 2]));
  feed(metric, oneHot([0]), ints([1]));
  const expected = [
    [1, 0, 0],
    [1, 0, 0],
    [0, 1, 1],
  ];
  expect(metric.matrix()).toEqual(expected);
  expect(metric.value()).toBe(0.5);
  metric.matrix()[0][0] = 9;
  const copy = new ConfusionMatrix();
  copy.loadState(JSON.parse(JSON.stringify(metric.state())));
  expect(copy.matrix()).toEqual(expected);
  expect(() => feed(metric, oneHot([0]), ints([3]))).toThrow(IndexError);
  expect(metric.matrix()).toEqual(expected);
  metric.reset();
  expect(metric.matrix()).toEqual([]);
});

test("dice over images: overlap of regions, by class axis or by threshold", () => {
  const targets = ints([
    [1, 1],
    [0, 0],
  ]).reshape([1, 2, 2]);
  const logits = tensor([2, -1, -3, -2]).reshape([1, 1, 2, 2]);
  const single = new Dice({ threshold: 0 });
  feed(single, logits, targets);
  expect(single.value()).toBeCloseTo(2 / 3, 12);
  const two = new Dice({ axis: 1 });
  feed(two, zeros([1, 1, 2, 2]).cat([logits], 1), targets);
  expect(two.value()).toBeCloseTo(2 / 3, 12);
  const empty = new Dice({ threshold: 0 });
  feed(empty, logits.mul(0).sub(1), targets.mul(0).to("int32"));
  expect(empty.value()).toBe(1);
});

test("errors of regression do not broadcast [n, 1] against [n]", () => {
  const preds = tensor([[1], [4], [3]]);
  const targets = tensor([2, 2, 3]);
  expect(meanAbsoluteError(preds, targets)).toBeCloseTo(1, 6);
  expect(meanSquaredError(preds, targets)).toBeCloseTo(5 / 3, 6);
  expect(() => meanAbsoluteError(ones([4]), targets)).toThrow(ShapeError);
});

test("root mean squared error and perplexity are worked out at the end of the pass", () => {
  const rmse = new RootMeanSquaredError();
  feed(rmse, tensor([4]), tensor([0]));
  feed(rmse, tensor([0, 1, 5]), tensor([0, 1, 5]));
  expect(rmse.value()).toBe(2);
  const perplexity = new Perplexity();
  feed(perplexity, zeros([3]), zeros([3]), 1);
  feed(perplexity, zeros([1]), zeros([1]), 3);
  expect(perplexity.value()).toBeCloseTo(Math.exp(1.5), 12);
});

test("in a learner: a metric of a pass equals one over the whole dataset, with an unfinished last batch", async () => {
  manualSeed(5);
  const data = new TensorDataset(randn([50, 4]), randint(0, 3, [50]));
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 16, validBatchSize: 16 });
  const model = new Linear(4, 3);
  const confusion = new ConfusionMatrix();
  const metrics = { accuracy, confusion, f1: new F1({ average: "macro" }), perplexity: new Perplexity() };
  const learn = new Learner(dls, model, { loss: crossEntropy, metrics, progress: false });
  await learn.fit(1, { train: false });
  const figures = learn.recorder.records[0].valid ?? {};
  const preds = model.forward(data.tensors[0]);
  const loss = crossEntropy(preds, data.tensors[1]).item();
  expect(figures.accuracy).toBeCloseTo(accuracy(preds, data.tensors[1]), 6);
  expect(figures.confusion).toBeCloseTo(figures.accuracy, 12);
  expect(figures.perplexity).toBeCloseTo(Math.exp(loss), 4);
  expect(
    confusion
      .matrix()
      .flat()
      .reduce((a, b) => a + b),
  ).toBe(50);
});

test("in a learner: regression", async () => {
  manualSeed(6);
  const data = new TensorDataset(randn([20, 3]), randn([20, 1]));
  class Zero extends Module {
    readonly inner = new Linear(3, 1);
    forward(x: Tensor): Tensor {
      return this.inner.forward(x).mul(0);
    }
  }
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 8, validBatchSize: 8 });
  const metrics = { rmse: new RootMeanSquaredError(), mae: meanAbsoluteError };
  const learn = new Learner(dls, new Zero(), { loss: mse, metrics, progress: false });
  const figures = await learn.validate();
  expect(figures.rmse).toBeCloseTo(Math.sqrt(data.tensors[1].square().mean().item()), 5);
  expect(figures.mae).toBeCloseTo(data.tensors[1].abs().mean().item(), 5);
});

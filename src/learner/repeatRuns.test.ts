import { expect, test } from "vitest";
import { ArgumentError } from "../backend/errors.ts";
import { DataLoaders, TensorDataset } from "../data/index.ts";
import { crossEntropy } from "../nn/functional.ts";
import { Linear } from "../nn/index.ts";
import { getRandomState, manualSeed, randint, randn } from "../tensor/index.ts";
import { Learner } from "./learner.ts";
import { accuracy } from "./metrics.ts";
import { repeatRuns } from "./repeatRuns.ts";

test("mean, deviation, extremes and outliers of each figure", async () => {
  const values = [0.9, 0.91, 0.92, 0.9, 0.91, 0.2];
  const kept: number[] = [];
  const report = await repeatRuns(
    [11, 12, 13, 14, 15, 16],
    async (seed) => ({ accuracy: values[seed - 11], loss: seed === 12 ? Number.NaN : 1 }),
    { onRun: (seed) => kept.push(seed) },
  );
  const { accuracy: found, loss } = report.figures;
  expect(found.values).toEqual(values);
  expect(found.mean).toBeCloseTo(4.74 / 6, 12);
  const squares = values.reduce((sum, x) => sum + (x - 4.74 / 6) ** 2, 0);
  expect(found.std).toBeCloseTo(Math.sqrt(squares / 5), 12);
  expect([found.min, found.max]).toEqual([0.2, 0.92]);
  expect(found.outliers).toEqual([16]);
  expect(loss.outliers).toEqual([12]);
  expect(kept).toEqual([11, 12, 13, 14, 15, 16]);
  const lines = report.toString().split("\n");
  expect(lines[0]).toBe("6 runs, seeds 11, 12, 13, 14, 15, 16");
  expect(lines[2]).toMatch(/accuracy +0\.7900 .*seed 16/);
});

test("one that differs among equal values is an outlier; equal values have none; one run has no deviation", async () => {
  const of = async (values: number[]): Promise<readonly number[]> =>
    (await repeatRuns(values.length, (i) => values[i])).figures.value.outliers;
  expect(await of([1, 1, 1, 1, 1, 1, 2])).toEqual([6]);
  expect(await of([1, 1, 1])).toEqual([]);
  expect((await repeatRuns([5], () => 3)).figures.value.std).toBeNaN();
});

test("runs are seeded, repeat, and leave the random state as it was", async () => {
  const experiment = async (): Promise<Record<string, number>> => {
    const data = new TensorDataset(randn([20, 4]), randint(0, 2, [20]));
    const dls = DataLoaders.fromDatasets(data, data, { batchSize: 8 });
    const learn = new Learner(dls, new Linear(4, 2), { loss: crossEntropy, metrics: { accuracy }, progress: false });
    await learn.fit(1);
    return learn.validate();
  };
  manualSeed(99);
  const state = getRandomState();
  const first = await repeatRuns([1, 2], experiment);
  expect(getRandomState()).toEqual(state);
  const second = await repeatRuns([1, 2], experiment);
  expect(second.figures).toEqual(first.figures);
  expect(first.figures.loss.min).toBeLessThan(first.figures.loss.max);
});

test("mistakes are named", async () => {
  await expect(repeatRuns([], () => 1)).rejects.toThrow(ArgumentError);
  await expect(repeatRuns([1, 1], () => 1)).rejects.toThrow(/twice/);
  await expect(repeatRuns([1, 2], (seed) => ({ [`f${seed}`]: 1 }))).rejects.toThrow(/f2/);
  const failing = repeatRuns([3, 4], (seed) => {
    if (seed === 4) throw new Error("no data");
    return 1;
  });
  await expect(failing).rejects.toThrow(/seed 4 failed: no data/);
});

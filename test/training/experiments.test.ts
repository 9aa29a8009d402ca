import { expect, test } from "vitest";
import { type Experiment, judge } from "../../experiments/experiment.ts";
import { experiments as minibatch } from "../../experiments/programs/aMinibatch.ts";
import { experiments as schedules } from "../../experiments/programs/cSchedules.ts";
import { experiments as cancel } from "../../experiments/programs/dCancel.ts";
import { experiments as learner } from "../../experiments/programs/pLearner.ts";

// The cheap experiments with one seed, whose figures differ in the last digits from processor to processor: only those in
// which single seeds stay inside the bands. `npm run experiments` runs them all with several.
const cheap = new Map([...minibatch, ...schedules, ...cancel, ...learner].map((one) => [one.id, one]));

const failed = async (experiment: Experiment | undefined, seed: number): Promise<string[]> => {
  if (experiment === undefined) throw new Error("there is no such experiment");
  const { checks, report } = await judge(experiment, [seed]);
  return checks.filter(({ passed }) => !passed).map(({ text }) => `${text}: ${String(report)}`);
};

test.each(["C-0.5", "C-0.3", "C-cosine", "D", "P-finder"])("experiment %s lies in its band", async (id) => {
  expect(await failed(cheap.get(id), 42)).toEqual([]);
});

test("experiment A, without the batch that can spoil an epoch, lies in its band", async () => {
  expect(await failed(cheap.get("A-full-batches"), 42)).toEqual([]);
}, 120_000);

test("experiment P lies in its band, and momentum wins by at least 0.09", async () => {
  expect(await failed(cheap.get("P"), 42)).toEqual([]);
}, 120_000);

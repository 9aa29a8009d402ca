import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { DataLoaders, TensorDataset } from "../../data/index.ts";
import { crossEntropy } from "../../nn/functional.ts";
import { Dropout, Linear, Sequential } from "../../nn/index.ts";
import { manualSeed, randint, randn } from "../../tensor/index.ts";
import type { Callback } from "../callback.ts";
import { Learner } from "../learner.ts";
import { MomentumLearner } from "../momentumLearner.ts";
import { Checkpoint } from "./checkpoint.ts";
import { CsvLogger } from "./csvLogger.ts";
import { EarlyStopping } from "./earlyStopping.ts";
import { GradientAccumulation } from "./gradientAccumulation.ts";
import { GradientClip } from "./gradientClip.ts";
import { ReduceLrOnPlateau } from "./reduceLrOnPlateau.ts";

function learner(Kind: typeof Learner | typeof MomentumLearner): Learner {
  manualSeed(3);
  const data = new TensorDataset(randn([50, 4]), randint(0, 2, [50]));
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 4, seed: 5 });
  const model = new Sequential(new Linear(4, 8), new Dropout(0.2), new Linear(8, 2));
  return new Kind(dls, model, { loss: crossEntropy, progress: false, lr: 0.1 });
}

function callbacks(log: string, accumulates: boolean): Callback[] {
  const all = [
    new EarlyStopping({ patience: 2 }),
    new ReduceLrOnPlateau({ patience: 1 }),
    new GradientClip({ norm: 1 }),
    new CsvLogger(log),
  ];
  return accumulates ? [...all, new GradientAccumulation(3)] : all;
}

const weights = (learn: Learner): number[] => learn.model.parameters().flatMap((p) => [...p.toTypedArray()]);

/** The rows without their times. */
async function rows(path: string): Promise<string[]> {
  return (await readFile(path, "utf8")).split("\n").map((line) => line.split(",").slice(0, -1).join());
}

test.each([
  ["accumulated gradients", Learner],
  ["gradients kept as momentum", MomentumLearner],
])("a run stopped between batches and resumed equals one never stopped, with %s", async (_, Kind) => {
  const folder = await mkdtemp(join(tmpdir(), "kindling-"));
  const file = (name: string): string => join(folder, name);
  try {
    const accumulates = Kind === Learner;
    const whole = learner(Kind);
    await whole.fit(4, { callbacks: callbacks(file("whole.csv"), accumulates) });
    let batches = 0;
    const stop: Callback = {
      order: 2000,
      watches: true,
      afterBatch: () => {
        if (++batches === 40) throw new Error("stopped");
      },
    };
    const checkpoint = (everySteps: number): Checkpoint => new Checkpoint(file("checkpoints"), { everySteps });
    const first = [...callbacks(file("parts.csv"), accumulates), checkpoint(1), stop];
    await expect(learner(Kind).fit(4, { callbacks: first })).rejects.toThrow("stopped");
    const resumed = learner(Kind);
    const second = [...callbacks(file("parts.csv"), accumulates), checkpoint(10)];
    await resumed.fit(4, { resume: file("checkpoints"), callbacks: second });
    expect(weights(resumed)).toEqual(weights(whole));
    expect(await rows(file("parts.csv"))).toEqual(await rows(file("whole.csv")));
  } finally {
    await rm(folder, { recursive: true });
  }
});

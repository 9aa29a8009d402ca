import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { DataLoaders, TensorDataset } from "../../data/index.ts";
import { crossEntropy } from "../../nn/functional.ts";
import { Linear } from "../../nn/index.ts";
import { manualSeed, randint, randn } from "../../tensor/index.ts";
import { CancelEpoch, CancelFit } from "../cancel.ts";
import { Learner, type LearnerOptions } from "../learner.ts";
import { accuracy } from "../metrics.ts";
import { Progress } from "./progress.ts";

class Screen extends Writable {
  readonly isTTY = true;
  readonly columns = 100;
  text = "";
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

function learner(options: Partial<LearnerOptions> = {}): Learner {
  manualSeed(1);
  const data = new TensorDataset(randn([32, 4]), randint(0, 2, [32]));
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 8 });
  return new Learner(dls, new Linear(4, 2), { loss: crossEntropy, progress: false, ...options });
}

test("prints a header and a row per epoch, with losses, metrics and time", async () => {
  const lines: string[] = [];
  const progress = new Progress({ table: true, write: (line) => lines.push(line) });
  const learn = learner({ metrics: { accuracy, time: accuracy }, callbacks: [progress] });
  await learn.fit(2);
  expect(lines).toHaveLength(3);
  expect(lines[0].split(/ {2,}/).map((name) => name.trim())).toEqual([
    "epoch",
    "train loss",
    "valid loss",
    "accuracy",
    "metric time",
    "time",
  ]);
  const cells = lines[2].trim().split(/ {2,}/);
  expect(cells[0]).toBe("1");
  expect(Number(cells[2])).toBeCloseTo(learn.recorder.records[1].valid?.loss ?? Number.NaN, 3);
  expect(cells[5]).toMatch(/ s$/);
});

test("without validation the metrics are those of training", async () => {
  const lines: string[] = [];
  const progress = new Progress({ table: true, write: (line) => lines.push(line) });
  const learn = learner({ metrics: { accuracy } });
  await learn.fit(1, { valid: false, callbacks: [progress] });
  const cells = lines[1].trim().split(/ {2,}/);
  expect(cells).toHaveLength(4);
  expect(Number(cells[2])).toBeCloseTo(learn.recorder.records[0].train?.accuracy ?? Number.NaN, 3);
});

test("a cancelled epoch has its row, and the last of several Progress callbacks shows alone", async () => {
  const [first, second]: string[][] = [[], []];
  const learn = learner({ callbacks: [new Progress({ table: true, write: (line) => first.push(line) })] });
  const cancel = {
    afterPass: () => {
      throw new CancelEpoch();
    },
  };
  const shown = new Progress({ table: true, write: (line) => second.push(line) });
  await learn.fit(1, { callbacks: [cancel, shown] });
  expect(second).toHaveLength(2);
  expect(first).toHaveLength(0);
});

test("draws a bar with the live loss per pass and takes it away, also after an error", async () => {
  const screen = new Screen();
  const slow = {
    afterBatch: () => {
      const end = performance.now() + 120;
      while (performance.now() < end);
    },
  };
  const learn = learner({ callbacks: [new Progress({ table: false, stream: screen }), slow] });
  await learn.fit(1);
  expect(screen.text).toContain("epoch 1/1 training");
  expect(screen.text).toContain("epoch 1/1 validation");
  expect(screen.text).toMatch(/loss 0\.\d+/);
  const fail = {
    afterBatch: () => {
      throw new Error("no more");
    },
  };
  await expect(learn.fit(1, { callbacks: [fail] })).rejects.toThrow("no more");
  const after = screen.text.length;
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(screen.text.length).toBe(after);
  await learn.validate();
  expect(screen.text.slice(after)).toContain("validation");
});

test("is silent where there is no terminal, unless told otherwise", async () => {
  const output = async (progress: boolean): Promise<string> => {
    let text = "";
    const { write } = process.stdout;
    process.stdout.write = (chunk): boolean => {
      text += String(chunk);
      return true;
    };
    try {
      await learner({ progress }).fit(1);
    } finally {
      process.stdout.write = write;
    }
    return text;
  };
  expect(await output(true)).toContain("train loss");
  expect(await output(false)).toBe("");
});

test("an update costs less than a microsecond", async () => {
  const learn = learner();
  let best = Number.POSITIVE_INFINITY;
  const progress = new Progress({ table: false, stream: new Screen() });
  const measure = {
    afterPass: () => {
      for (let run = 0; run < 5; run++) {
        const start = performance.now();
        for (let i = 0; i < 100_000; i++) progress.afterBatch(learn);
        best = Math.min(best, (performance.now() - start) / 100_000);
      }
      throw new CancelFit();
    },
  };
  await learn.fit(1, { callbacks: [progress, measure] });
  expect(best).toBeLessThan(0.001);
});

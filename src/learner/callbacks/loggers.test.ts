import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DataError } from "../../backend/errors.ts";
import { DataLoaders, TensorDataset } from "../../data/index.ts";
import { CRC32C, crc } from "../../io/crc32.ts";
import { crossEntropy } from "../../nn/functional.ts";
import { Linear } from "../../nn/index.ts";
import { manualSeed, randint, randn } from "../../tensor/index.ts";
import type { Callback } from "../callback.ts";
import { Learner, type LearnerOptions } from "../learner.ts";
import { accuracy } from "../metrics.ts";
import { CsvLogger } from "./csvLogger.ts";
import { JsonlLogger } from "./jsonlLogger.ts";
import { TensorBoard } from "./tensorBoard.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kindling-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

function learner(options: Partial<LearnerOptions> = {}): Learner {
  manualSeed(4);
  const data = new TensorDataset(randn([24, 4]), randint(0, 2, [24]));
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 8 });
  return new Learner(dls, new Linear(4, 2), { loss: crossEntropy, progress: false, ...options });
}

const lines = async (path: string): Promise<string[]> => (await readFile(path, "utf8")).split("\n");

test("CSV: a header once, a row per epoch as it ends, over several fits", async () => {
  const path = join(folder, "deep", "history.csv");
  const learn = learner({ metrics: { accuracy, 'odd, "name"': accuracy }, lr: 0.25 });
  const seen: number[] = [];
  const watch: Callback = { order: 300, afterEpoch: async () => void seen.push((await lines(path)).length) };
  await learn.fit(2, { callbacks: [new CsvLogger(path), watch] });
  await learn.fit(1, { valid: false, callbacks: [new CsvLogger(path)] });
  const [header, first, , third, end] = await lines(path);
  expect(header).toBe(
    'epoch,train.loss,train.accuracy,"train.odd, ""name""",valid.loss,valid.accuracy,"valid.odd, ""name""",lr,seconds',
  );
  expect(first.split(",").slice(0, 2)).toEqual(["0", String(learn.recorder.records[0].train?.loss)]);
  expect(first.split(",")[7]).toBe("0.25");
  expect(third.split(",").slice(4, 7)).toEqual(["", "", ""]);
  expect(end).toBe("");
  expect(seen).toEqual([3, 4]);
});

test("CSV: other columns are refused before training and nothing is lost; overwrite starts anew", async () => {
  const path = join(folder, "history.csv");
  await writeFile(path, "epoch,loss\n0,1\n");
  const learn = learner();
  await expect(learn.fit(1, { callbacks: [new CsvLogger(path)] })).rejects.toThrow(DataError);
  expect(learn.recorder.losses.length).toBe(0);
  expect(await readFile(path, "utf8")).toBe("epoch,loss\n0,1\n");
  await learn.fit(1, { callbacks: [new CsvLogger(path, { overwrite: true })] });
  expect((await lines(path))[0]).toBe("epoch,train.loss,valid.loss,lr,seconds");
  expect(await lines(path)).toHaveLength(3);
});

for (const kind of ["csv", "jsonl"]) {
  test(`${kind}: a resumed run takes off the rows it writes again, also one torn by a crash`, async () => {
    const path = join(folder, `history.${kind}`);
    // Also with overwrite, which is for fits that begin.
    const make = (): CsvLogger | JsonlLogger =>
      kind === "csv" ? new CsvLogger(path, { overwrite: true }) : new JsonlLogger(path, { overwrite: true });
    const logger = make();
    let saved = "";
    const watch: Callback = {
      order: 300,
      afterEpoch: (l) => {
        if (l.epoch === 1) saved = JSON.stringify(logger.state());
      },
    };
    await learner().fit(4, { callbacks: [logger, watch] });
    const before = await lines(path);
    await writeFile(path, `${before.join("\n")}torn`);
    const resumed = make();
    const resume: Callback = { order: 1000, beforeFit: () => resumed.loadState(JSON.parse(saved)) };
    await learner().fit(1, { callbacks: [resumed, resume] });
    const after = await lines(path);
    const kept = kind === "csv" ? 3 : 2;
    expect(after.slice(0, kept)).toEqual(before.slice(0, kept));
    expect(after).toHaveLength(kept + 2);
  });
}

test("JSONL: every line is an object with figures, hypers and time; NaN is null", async () => {
  const path = join(folder, "history.jsonl");
  const learn = learner({ metrics: { nothing: () => Number.NaN } });
  await learn.fit(2, { callbacks: [new JsonlLogger(path)] });
  const parsed = (await lines(path)).slice(0, 2).map((line) => JSON.parse(line));
  expect(parsed.map(({ epoch }) => epoch)).toEqual([0, 1]);
  expect(parsed[1].valid).toEqual({ loss: learn.recorder.records[1].valid?.loss, nothing: null });
  expect(parsed[0].hypers).toMatchObject([{ lr: 0.01 }]);
  expect(Number.isNaN(Date.parse(parsed[0].time))).toBe(false);
});

test("a file that cannot be written is an error at the time", async () => {
  const path = join(folder, "file");
  await writeFile(path, "");
  const learn = learner();
  await expect(learn.fit(1, { callbacks: [new CsvLogger(join(path, "history.csv"))] })).rejects.toThrow();
  await expect(learn.fit(1, { callbacks: [new TensorBoard(path)] })).rejects.toThrow();
  await learn.fit(1);
  await chmod(path, 0o600);
});

/** The records of an event file; their checksums must be right. */
function records(bytes: Buffer): Buffer[] {
  const result: Buffer[] = [];
  const masked = (part: Uint8Array): number => {
    const c = crc(CRC32C, part);
    return (((c >>> 15) | (c << 17)) + 0xa282ead8) >>> 0;
  };
  for (let at = 0; at < bytes.length; ) {
    const length = Number(bytes.readBigUInt64LE(at));
    expect(bytes.readUInt32LE(at + 8)).toBe(masked(bytes.subarray(at, at + 8)));
    const data = bytes.subarray(at + 12, at + 12 + length);
    expect(bytes.readUInt32LE(at + 12 + length)).toBe(masked(data));
    result.push(data);
    at += 16 + length;
  }
  return result;
}

test("TensorBoard: points per batch and epoch, weights, a file per fit, all checksums right", async () => {
  const run = join(folder, "run");
  const board = new TensorBoard(run, { histograms: true, every: 2 });
  const learn = learner({ metrics: { accuracy }, callbacks: [board] });
  await learn.fit(2);
  expect(board.state()).toEqual({ step: 6 });
  await learn.fit(1);
  expect(board.state()).toEqual({ step: 9 });
  const files = await readdir(run);
  expect(files).toHaveLength(2);
  const all = records(await readFile(join(run, files.sort()[0])));
  const count = (tag: string): number => all.filter((data) => data.includes(tag)).length;
  expect(count("batch/loss")).toBe(3);
  expect(count("hypers/lr")).toBe(3);
  for (const tag of ["loss/train", "loss/valid", "accuracy/train", "accuracy/valid", "weights/weight"]) {
    expect(count(tag)).toBe(2);
  }
});

test("TensorBoard: the file is closed and whole after an error in the fit", async () => {
  const board = new TensorBoard(folder);
  const fail: Callback = {
    afterBatch: (l) => {
      if (l.iteration === 2) throw new Error("no more");
    },
  };
  await expect(learner({ callbacks: [board, fail] }).fit(1)).rejects.toThrow("no more");
  const [file] = await readdir(folder);
  expect(records(await readFile(join(folder, file))).length).toBeGreaterThan(2);
});

import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { DataError } from "../backend/errors.ts";
import { tensor } from "../tensor/index.ts";
import { loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { parseJson, stringifyJson } from "./json.ts";

const content = (epoch: number) => ({
  model: { weight: tensor([1, 2, epoch]) },
  optimizer: new Map([["0.average", tensor([[epoch]])]]),
  state: { epoch, best: Number.NaN },
});

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kindling-checkpoint-"));
});
afterEach(() => rm(folder, { recursive: true }));

describe("a checkpoint", () => {
  it("comes back as it was", async () => {
    const path = await saveCheckpoint(join(folder, "deep", "down"), content(3));
    expect((await readdir(path)).sort()).toEqual([
      "manifest.json",
      "model.safetensors",
      "optimizer.safetensors",
      "state.json",
    ]);
    for (const place of [path, join(folder, "deep", "down")]) {
      const loaded = await loadCheckpoint(place);
      expect(loaded?.path).toBe(path);
      expect(loaded?.model.get("weight")?.toArray()).toEqual([1, 2, 3]);
      expect(loaded?.optimizer.get("0.average")?.toArray()).toEqual([[3]]);
      expect(loaded?.state).toEqual({ epoch: 3, best: Number.NaN });
    }
  });

  it("is undefined where there is none", async () => {
    expect(await loadCheckpoint(folder)).toBeUndefined();
    expect(await loadCheckpoint(join(folder, "nowhere"))).toBeUndefined();
  });

  it("keeps the newest few and clears what was left half written", async () => {
    await mkdir(join(folder, "checkpoint-000001.abc.tmp"));
    for (let i = 0; i < 12; i++) await saveCheckpoint(folder, content(i), { keep: 2 });
    expect((await readdir(folder)).sort()).toEqual(["checkpoint-000011", "checkpoint-000012"]);
  });

  const damages: Record<string, (path: string) => Promise<unknown>> = {
    "a flipped bit": async (path) => {
      const bytes = await readFile(join(path, "model.safetensors"));
      bytes[bytes.length - 1] ^= 1;
      await writeFile(join(path, "model.safetensors"), bytes);
    },
    "a cut file": (path) => truncate(join(path, "optimizer.safetensors"), 20),
    "an empty state": (path) => truncate(join(path, "state.json"), 0),
    "a missing file": (path) => rm(join(path, "state.json")),
    "a missing manifest": (path) => rm(join(path, "manifest.json")),
    "a cut manifest": (path) => truncate(join(path, "manifest.json"), 30),
    "a manifest of something else": (path) => writeFile(join(path, "manifest.json"), "[1]"),
    "a manifest without files": (path) => writeFile(join(path, "manifest.json"), '{"format":1}'),
    "nothing in it": async (path) => {
      await rm(path, { recursive: true });
      await mkdir(path);
    },
  };
  for (const [name, damage] of Object.entries(damages)) {
    it(`with ${name} is passed over`, async () => {
      const first = await saveCheckpoint(folder, content(1));
      const second = await saveCheckpoint(folder, content(2));
      await damage(second);
      expect((await loadCheckpoint(folder))?.path).toBe(first);
      await damage(first);
      expect(await loadCheckpoint(folder)).toBeUndefined();
      const third = await saveCheckpoint(folder, content(3));
      expect((await loadCheckpoint(folder))?.path).toBe(third);
    });
  }

  it("named itself and damaged is an error", async () => {
    const path = await saveCheckpoint(folder, content(1));
    await truncate(join(path, "state.json"), 2);
    await expect(loadCheckpoint(path)).rejects.toThrow(/state\.json has 2 bytes, not/);
  });

  it("that cannot be written is an error naming the path, and nothing is left behind", async () => {
    await writeFile(join(folder, "file"), "");
    const below = join(folder, "file", "runs");
    await expect(saveCheckpoint(below, content(1))).rejects.toThrow(DataError);
    await expect(saveCheckpoint(below, content(1))).rejects.toThrow(below);
    await expect(loadCheckpoint(below)).rejects.toThrow(DataError);
    expect(await readdir(folder)).toEqual(["file"]);
  });

  it.runIf(process.platform === "linux")("does not hide that the kernel refuses a folder", async () => {
    await expect(saveCheckpoint("/proc/kindling", content(1))).rejects.toThrow(/could not write "\/proc\/kindling/);
  });

  it.runIf(process.platform === "linux")("does not hide a full disk, and leaves the older one whole", async () => {
    await saveCheckpoint(folder, content(1));
    const script = `
      import process from "node:process";
      import { saveCheckpoint } from "./src/io/checkpoint.ts";
      import { zeros } from "./src/tensor/index.ts";
      process.on("SIGXFSZ", () => {}); // so that a write beyond the limit fails as on a full disk
      try {
        await saveCheckpoint(process.argv[1], { model: { x: zeros([100_000]) }, optimizer: {}, state: 2 });
      } catch (error) {
        console.log(error.name, error.message);
      }`;
    const command =
      'ulimit -f 100; exec "$0" --import tsx --conditions=@kindling/source --input-type=module -e "$1" "$2"';
    const { stdout } = await promisify(execFile)("bash", ["-c", command, process.execPath, script, folder]);
    expect(stdout).toMatch(/^DataError saveCheckpoint: could not write ".*checkpoint-000002": EFBIG/);
    expect(await readdir(folder)).toEqual(["checkpoint-000001"]);
    expect((await loadCheckpoint(folder))?.state).toMatchObject({ epoch: 1 });
  });
});

it("JSON keeps the numbers it has no words for", () => {
  const value = { a: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0.1], b: { $number: 3 } };
  expect(parseJson(stringifyJson(value))).toEqual(value);
});

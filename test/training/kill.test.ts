import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { loadCheckpoint } from "../../src/io/checkpoint.ts";
import { epochs, makeLearner, traceOf, trainOn } from "./resumable.ts";

/** A hundred on a patient day: `KINDLING_LONG=1 npx vitest run test/training/kill.test.ts`. */
const kills = process.env["KINDLING_LONG"] === "1" ? 100 : 12;
const root = fileURLToPath(new URL("../..", import.meta.url));
const child = fileURLToPath(new URL("killChild.ts", import.meta.url));

/** Trains in a process of its own, which dies by SIGKILL some milliseconds after its n-th batch. */
function trainAndKill(folder: string, batches: number, delay: number): Promise<"killed" | "done"> {
  return new Promise((resolve, reject) => {
    const args = ["--import", "tsx", "--conditions=@kindling/source", child, folder];
    const running = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let [output, errors] = ["", ""];
    running.stderr.on("data", (chunk) => {
      errors += chunk;
    });
    running.stdout.on("data", (chunk) => {
      const before = output.length;
      output += chunk;
      if (before < batches && output.length >= batches) setTimeout(() => running.kill("SIGKILL"), delay);
    });
    running.on("error", reject);
    running.on("close", (code, signal) => {
      if (signal === "SIGKILL") resolve("killed");
      else if (code === 0) resolve("done");
      else reject(new Error(errors));
    });
  });
}

it(`a run killed at ${kills} random moments ends as one never stopped`, { timeout: kills * 20_000 }, async () => {
  const whole = makeLearner();
  await whole.fit(epochs);
  const expected = traceOf(whole);
  let killed = 0;
  let half = 0;
  while (killed < kills) {
    const folder = await mkdtemp(join(tmpdir(), "kindling-kill-"));
    try {
      // Several times in one run, so that resumed runs are resumed too.
      for (let i = 0; i < 4 && killed < kills; i++) {
        const outcome = await trainAndKill(folder, 1 + Math.floor(Math.random() * 6), Math.random() * 12);
        if (outcome === "done") break;
        killed++;
        const names = await readdir(folder);
        if (names.some((name) => name.endsWith(".tmp"))) half++;
        if (names.some((name) => /^checkpoint-\d+$/.test(name))) expect(await loadCheckpoint(folder)).toBeDefined();
      }
      const learn = makeLearner();
      await trainOn(learn, folder);
      expect(traceOf(learn)).toBe(expected);
      expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    } finally {
      await rm(folder, { recursive: true });
    }
  }
  console.info(`${half} of ${killed} kills came in the middle of a save`);
});

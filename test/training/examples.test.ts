/** Every example runs to its end in its short mode and prints what it is there to show. */
import { execFile } from "node:child_process";
import { readdirSync } from "node:fs";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

/** Lines each example must print, by its name without the ending. */
const shows: Readonly<Record<string, readonly RegExp[]>> = {
  "00-tensors": [/tensor\(\[\[1\., 2\., 3\.\],/, /fitted: y = [23]\.\d+·x/, /swish\(1\) = 0\.8176/],
  "01-foundations": [
    /cross-entropy of a fresh network 2\.\d+/,
    /optim\.sgd, all parameters in one call/,
    /Learner: valid loss/,
  ],
  "02-training-loop": [
    /^handler: 1 2 3 4 5 6 7 8 9 10$/m,
    /^runner: 0 1 2 3 4 5 6 7 8 9 10$/m,
    /before fit, before training pass, after training pass, before validation pass, after validation pass, after fit$/m,
    /^Learner: 1 2 3 4 5 6 7 8 9 10; fit cancelled: ten are enough$/m,
    /^Learner: before fit, fit cancelled: not today$/m,
  ],
  "03-learner": [
    /^epoch +train loss +valid loss +accuracy +time$/m,
    /^suggested learning rate 0\.\d+/m,
    /^accuracy: SGD 0\.\d+/m,
  ],
  "04-callbacks": [/^epoch 2: accuracy/m, /: most batches are easy$/m, /in broken at afterPredict, iteration 7$/m],
  "05-schedules": [/^one cycle +0\.\d+ +0\.\d+ +0\.\d+$/m, /^rates at the end: /m],
  "06-debugging": [/^Kaiming's initialisation: accuracy 0\.[789]/m, /^stopped: the loss is NaN .*"1" \(Log\)$/m],
  "07-gan": [/^distance from the ring 0\.\d+ → 0\.\d+$/m, /^directions covered /m],
  "08-checkpoints": [/: the machine is needed$/m, /^all weights and losses are those of the uninterrupted run$/m],
  "09-inference": [/^most common mistake: \d+ × /m, /^exported model: /m],
  mnist: [/^valid accuracy 0\.9\d+ in \d+\.\d s$/m],
};

/** Arguments that make those quick which know no short mode. */
const quick: Readonly<Record<string, readonly string[]>> = { mnist: ["--epochs", "1"] };

const run = promisify(execFile);

describe("examples", () => {
  const names = readdirSync("examples")
    .filter((file) => file.endsWith(".ts"))
    .map((file) => file.replace(/\.ts$/, ""));

  test.each(names)("%s", { timeout: 120_000 }, async (name) => {
    const args = ["--import", "tsx", "--conditions=@kindling/source", `examples/${name}.ts`, ...(quick[name] ?? [])];
    const env = { ...process.env, KINDLING_SHORT: "1", OMP_NUM_THREADS: "1" };
    const { stdout } = await run(process.execPath, args, { env, timeout: 110_000 });
    expect(stdout.trim(), `${name} prints nothing`).not.toBe("");
    for (const line of shows[name] ?? []) expect(stdout).toMatch(line);
  });

  test("every example listed exists", () => {
    expect(names).toEqual(expect.arrayContaining(Object.keys(shows)));
  });
});

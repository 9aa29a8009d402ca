/** What the repository's own commands say of themselves, and of arguments they do not take. */
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

function run(script: string, ...args: readonly string[]) {
  const options = ["--import", "tsx", "--conditions=@kindling/source"];
  return spawnSync(process.execPath, [...options, script, ...args], { encoding: "utf8" });
}

test.each([
  ["bench/run.ts", "--only"],
  ["experiments/run.ts", "--seeds"],
  ["examples/mnist.ts", "--epochs"],
])("%s --help names its options", (script, option) => {
  const { status, stdout } = run(script, "--help");
  expect(stdout).toContain(`${option} <`);
  expect(status).toBe(0);
});

test.each([
  ["bench/run.ts", ["--only", "mlp-64,mlp"], 'No workload "mlp"; there are mlp-64, mlp-1024'],
  ["bench/run.ts", ["--rounds", "0"], "a whole number from 1"],
  ["experiments/run.ts", ["P", "Z"], 'no experiment begins with "Z"; there are A,'],
  ["experiments/run.ts", ["P", "--seeds", "1,x"], "Seeds are whole numbers"],
  ["examples/mnist.ts", ["--epoch", "1"], "Did you mean --epochs?"],
])("%s %j is refused in one line", (script, args, words) => {
  const { status, stderr } = run(script, ...args);
  expect(stderr).toContain(words);
  expect(stderr).not.toContain("    at ");
  expect(status).not.toBe(0);
});

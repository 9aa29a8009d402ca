/**
 * Sets up, then runs every check: lint, types, build, tests. A failing stage hides no other.
 * Ends with the line `N passed, N failed`. Arguments go on to vitest: `npm test -- src/tensor`.
 */
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { compile } from "./setup/compile.mjs";
import { root, run } from "./setup/process.mjs";
import { prepare } from "./setup.mjs";

const tally = { passed: 0, failed: 0 };
const report = join(root, "runs", "vitest.json");

try {
  const { addon } = prepare({ data: true, again: true });
  stage("lint", () => tool("@biomejs/biome/bin/biome", "ci", "."));
  stage("types", () => tool("typescript/bin/tsc", "--noEmit"));
  stage("build", () => {
    compile(() => {});
    return addon !== "failed"; // no oneDNN is fine, an addon that does not compile is not
  });
  tests(process.argv.slice(2));
} catch (error) {
  console.error(`setup: ${error.message}`);
  tally.failed++;
}

console.log(`${tally.passed} passed, ${tally.failed} failed`);
process.exitCode = tally.failed === 0 ? 0 : 1;

function stage(name, check) {
  const start = performance.now();
  let passed = false;
  try {
    passed = check();
  } catch (error) {
    console.error(error.message);
  }
  tally[passed ? "passed" : "failed"]++;
  console.log(`${passed ? "ok    " : "FAILED"} ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

function tool(path, ...args) {
  return run(process.execPath, [join(root, "node_modules", path), ...args]) === 0;
}

function tests(filter) {
  rmSync(report, { force: true });
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  // Test files share the cores; threads of their own would only wait for each other.
  process.env.OMP_NUM_THREADS ??= "1";
  const passed = tool("vitest/vitest.mjs", "run", ...reporters, ...filter);
  const results = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : undefined;
  // A file that cannot be loaded holds no tests, and an unhandled error belongs to none: each counts as one failure.
  const broken = results?.testResults.filter((file) => file.status === "failed" && file.assertionResults.length === 0);
  const failed = (results?.numFailedTests ?? 0) + (broken?.length ?? 0);
  tally.passed += results?.numPassedTests ?? 0;
  tally.failed += passed ? failed : Math.max(1, failed);
}

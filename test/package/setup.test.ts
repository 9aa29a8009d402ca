import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

// Runs after a set-up: `npm test` makes one first.
test("a set-up with nothing to do says nothing and takes no time", () => {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, ["scripts/setup.mjs", "--quiet"], {
    encoding: "utf8",
  });
  const seconds = (performance.now() - start) / 1000;
  expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "", stderr: "" });
  expect(seconds).toBeLessThan(1.5);
});

test("set-up scripts need nothing but Node", () => {
  const parts = readdirSync("scripts/setup").map((name) => `scripts/setup/${name}`);
  const scripts = ["scripts/setup.mjs", "scripts/start.mjs", "scripts/test.mjs", ...parts];
  const imports = scripts.flatMap((path) => [...readFileSync(path, "utf8").matchAll(/^import .* from "(.*)";$/gm)]);
  expect(imports.length).toBeGreaterThan(10);
  expect(imports.map(([, from]) => from).filter((from) => !/^(node:|\.)/.test(from))).toEqual([]);
});

// Runs the native backend's tests on an addon built with the address and undefined-behaviour sanitizers of GCC (Linux).
// The build lies in a temporary folder, so the ordinary one stays as it is. Arguments go to vitest.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "kindling-sanitize-"));

function run(command, args, environment) {
  const options = { cwd: root, stdio: "inherit", env: { ...process.env, ...environment } };
  return spawnSync(command, args, options).status ?? 1;
}

function build() {
  for (const part of ["binding.gyp", "src"])
    cpSync(join(root, "native", part), join(folder, part), { recursive: true });
  // Through npx, which hands npm's settings (where Node's headers lie, say) on to node-gyp.
  const args = ["node-gyp", "rebuild", "-C", folder, "-j", "2", "--loglevel=error"];
  return run("npx", args, { KINDLING_SANITIZE: "1" });
}

function test() {
  const tests = process.argv.slice(2);
  const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
  return run(process.execPath, [vitest, "run", ...(tests.length > 0 ? tests : ["src/backend/native"])], {
    KINDLING_ADDON: join(folder, "build", "Release", "kindling.node"),
    LD_PRELOAD: execFileSync("g++", ["-print-file-name=libasan.so"], { encoding: "utf8" }).trim(),
    ASAN_OPTIONS: "detect_leaks=0", // Node itself does not free everything at its end
    UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1",
  });
}

let status = build();
if (status === 0) status = test();
rmSync(folder, { recursive: true, force: true });
process.exit(status);

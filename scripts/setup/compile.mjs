import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { hashFiles } from "./hash.mjs";
import { head, readStamp, root, run, writeStamp } from "./process.mjs";

const log = "runs/setup-compile.log";
const settings = ["tsconfig.json", "tsconfig.build.json", "package.json", "package-lock.json"];

/** Compiles src/ to dist/ when something changed. @throws when it does not compile. */
export function compile(say) {
  const sources = hashFiles(["src", ...settings], (path) => path.endsWith(".test.ts"));
  if (readStamp("dist")?.sources === sources && existsSync(join(root, "dist/index.js"))) return;
  say("compiling TypeScript");
  rmSync(join(root, "dist"), { recursive: true, force: true });
  rmSync(join(root, log), { force: true });
  const compiler = join(root, "node_modules/typescript/bin/tsc");
  if (run(process.execPath, [compiler, "-p", "tsconfig.build.json"], { log }) !== 0) {
    throw new Error(`TypeScript does not compile (all of it in ${log}):\n${head(log)}`);
  }
  writeStamp("dist", { sources });
}

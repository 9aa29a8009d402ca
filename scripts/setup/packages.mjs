import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { head, root, run } from "./process.mjs";

const log = "runs/setup-npm.log";

/** Brings node_modules to what package-lock.json says. */
export function installPackages(say) {
  if (packagesAgree()) return;
  say("installing npm packages");
  rmSync(join(root, log), { force: true });
  if (run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=warn"], { log }) === 0) return;
  throw new Error(`npm ci failed (all of it in ${log}):\n${head(log)}`);
}

/** npm writes what it has installed to node_modules/.package-lock.json when it is done; optional packages may be missing. */
function packagesAgree() {
  const recordPath = join(root, "node_modules", ".package-lock.json");
  if (!existsSync(recordPath)) return false;
  const installed = JSON.parse(readFileSync(recordPath, "utf8")).packages;
  const locked = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  for (const [path, entry] of Object.entries(locked)) {
    if (path === "") continue;
    const found = installed[path];
    if (
      found === undefined ? !entry.optional : found.version !== entry.version || found.integrity !== entry.integrity
    ) {
      return false;
    }
  }
  return Object.keys(installed).every((path) => path in locked);
}

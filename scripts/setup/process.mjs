import { spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that holds package.json. */
export const root = fileURLToPath(new URL("../../", import.meta.url));

/** Kept from one run to the next, and gone with node_modules. */
const cacheFolder = join(root, "node_modules", ".cache", "kindling");

/**
 * Runs a command to its end; its output goes to `log` (a path from the root) or, without one, to the terminal.
 * A command that is not there counts as failed. The answer is the exit code.
 */
export function run(command, args, { log, cwd = root, env = process.env } = {}) {
  if (log === undefined) return exitCode(spawnSync(command, args, { cwd, env, stdio: "inherit", ...shell(command) }));
  const path = join(root, log);
  mkdirSync(dirname(path), { recursive: true });
  const file = openSync(path, "a");
  try {
    const result = spawnSync(command, args, { cwd, env, stdio: ["ignore", file, file], ...shell(command) });
    if (result.error) writeFileSync(file, `${result.error.message}\n`);
    return exitCode(result);
  } finally {
    closeSync(file);
  }
}

/** What a command prints, or undefined when it fails or is not there. */
export function output(command, args) {
  const result = spawnSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

/** The first lines of a log, to show with a failure. */
export function head(log, lines = 12) {
  return readFileSync(join(root, log), "utf8").trimEnd().split("\n").slice(0, lines).join("\n");
}

/** A small JSON file of the cache, or undefined. */
export function readStamp(name, folder = cacheFolder) {
  const path = join(folder, `${name}.json`);
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined; // cut off while it was written: as good as none
  }
}

export function writeStamp(name, value, folder = cacheFolder) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(value));
}

function exitCode(result) {
  return result.error ? 127 : (result.status ?? 1);
}

// npm is a .cmd file on Windows, which only a shell starts.
function shell(command) {
  return { shell: process.platform === "win32" && command === "npm" };
}

import { existsSync, readFileSync, rmSync } from "node:fs";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { hashFiles } from "./hash.mjs";
import { readStamp, root, run, writeStamp } from "./process.mjs";
import { hasXbyak } from "./system.mjs";

const log = "native/build.log";
const folder = join(root, "native/build");
const addon = join(folder, "Release/kindling.node");

/** Builds the addon when its sources, Node, the processor or oneDNN have changed. The answer: whether it is there. */
export function buildAddon(oneDnn, { say, again }) {
  if (!existsSync(join(root, "native/binding.gyp"))) return false;
  const madeOf = {
    sources: hashFiles(["native"], (path) => path === "native/build" || path === log),
    node: `${process.version} ${process.versions.modules} ${process.arch}`,
    processor: processor(),
    oneDnn: `${oneDnn.prefix} ${oneDnn.version}`,
    xbyak: hasXbyak(),
  };
  // A build that failed is kept as such, so that it is not tried at every start; `again` tries it.
  // The stamp goes with the folder: after a build by hand, with other flags perhaps, there is none.
  const stamp = readStamp("setup", folder);
  const known = stamp !== undefined && JSON.stringify(stamp.madeOf) === JSON.stringify(madeOf);
  if (known && stamp.built && existsSync(addon)) return true;
  if (!known || stamp.built || again) {
    say(`building the native addon against oneDNN ${oneDnn.version}`);
    rmSync(join(root, log), { force: true });
    const built = run(process.execPath, gyp(), { log, env: { ...process.env, ONEDNN_PREFIX: oneDnn.prefix } }) === 0;
    writeStamp("setup", { madeOf, built }, folder);
    if (built) return true;
  }
  rmSync(addon, { force: true }); // an older one does not fit these sources
  return false;
}

export const addonLog = log;

function gyp() {
  const args = [join(root, "node_modules/node-gyp/bin/node-gyp.js"), "rebuild", "-C", "native", "-j", "max"];
  const prefix = dirname(dirname(process.execPath));
  // Headers that came with Node spare a download.
  if (existsSync(join(prefix, "include/node/node_api.h"))) args.push(`--nodedir=${prefix}`);
  return args;
}

/** The addon is compiled for this very processor: its model and what it can do. */
function processor() {
  const flags = existsSync("/proc/cpuinfo")
    ? readFileSync("/proc/cpuinfo", "utf8").match(/^(flags|Features)\s*:.*$/m)?.[0]
    : undefined;
  return `${cpus()[0]?.model} ${flags ?? ""}`;
}

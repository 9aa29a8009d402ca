/**
 * Gets everything kindling needs to run: oneDNN, xbyak, the npm packages, the native addon, the compiled TypeScript.
 * What is there already costs next to nothing. Needs only Node: this file and scripts/setup/ import nothing else.
 *
 *   node scripts/setup.mjs [--quiet] [--with-data]
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { addonLog, buildAddon } from "./setup/addon.mjs";
import { compile } from "./setup/compile.mjs";
import { installPackages } from "./setup/packages.mjs";
import { findOneDnn, hasFashionMnist, hasXbyak, installSystemPackages, usesXbyak } from "./setup/system.mjs";

/**
 * Installs and builds what is missing. Without oneDNN or a compiler that is the `js` backend, said in one line.
 * `data` also gets the Fashion-MNIST files that tests read; `again` repeats what failed the last time.
 * The answer says how the addon fared. @throws when npm packages cannot be installed.
 */
export function prepare({ quiet = false, data = false, again = false } = {}) {
  checkNode();
  const say = quiet ? () => {} : (line) => console.log(`setup: ${line}`);
  const missing = [];
  if (findOneDnn() === undefined) missing.push({ "apt-get": "libdnnl-dev", brew: "onednn" });
  if (usesXbyak && !hasXbyak()) missing.push({ "apt-get": "libxbyak-dev" });
  if (data && !hasFashionMnist()) missing.push({ "apt-get": "dataset-fashion-mnist" });
  if (missing.length > 0) installSystemPackages(missing, { say, again });
  installPackages(say);

  const oneDnn = findOneDnn();
  if (oneDnn === undefined) {
    say("oneDNN could not be had (Debian, Ubuntu: libdnnl-dev; macOS: brew install onednn); the js backend serves");
    return { addon: "no oneDNN" };
  }
  if (buildAddon(oneDnn, { say, again })) return { addon: "built" };
  say(`the native addon did not build (see ${addonLog}); the js backend serves`);
  return { addon: "failed" };
}

/** `prepare` and the compiled TypeScript: all a user of this checkout needs. */
export function setUp(options = {}) {
  prepare(options);
  compile(options.quiet ? () => {} : (line) => console.log(`setup: ${line}`));
}

function checkNode() {
  const [major, minor] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Error(`kindling needs Node 20.19 or newer; this is ${process.version}`);
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const has = (flag) => process.argv.includes(flag);
  try {
    setUp({ quiet: has("--quiet"), data: has("--with-data"), again: !has("--quiet") });
  } catch (error) {
    console.error(`setup: ${error.message}`);
    process.exitCode = 1;
  }
}

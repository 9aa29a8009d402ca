import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { output, readStamp, run, writeStamp } from "./process.mjs";

const log = "runs/setup-system.log";
const day = 24 * 3600 * 1000;

/** oneDNN's headers and library: `{ prefix, version }`, or undefined. */
export function findOneDnn() {
  for (const prefix of oneDnnPrefixes()) {
    const header = ["include/oneapi/dnnl/dnnl_version.h", "include/dnnl_version.h"]
      .map((path) => join(prefix, path))
      .find((path) => existsSync(path) && readFileSync(path, "utf8").includes("DNNL_VERSION_MAJOR"));
    if (header === undefined || !hasLibrary(prefix)) continue;
    const text = readFileSync(header, "utf8");
    const part = (name) => text.match(new RegExp(`DNNL_VERSION_${name}\\s+(\\d+)`))?.[1] ?? "?";
    return { prefix, version: `${part("MAJOR")}.${part("MINOR")}.${part("PATCH")}` };
  }
  return undefined;
}

/** Where the addon turns expressions into machine code, if it finds xbyak's headers. */
export const usesXbyak = process.platform === "linux" && process.arch === "x64";

/** Whether xbyak's headers are there. */
export function hasXbyak() {
  return existsSync("/usr/include/xbyak/xbyak.h");
}

/** Whether the Fashion-MNIST files that Debian and Ubuntu package are there. */
export function hasFashionMnist() {
  return existsSync("/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz");
}

/**
 * Gets system packages with what the machine has, apt-get or Homebrew. Never fatal: the caller looks again afterwards.
 * What could not be had is tried again after a day, or at once with `again`.
 */
export function installSystemPackages(packages, { say, again }) {
  const installer = findInstaller();
  if (installer === undefined) return;
  const wanted = packages.map((entry) => entry[installer.name]).filter((name) => name !== undefined);
  const tried = readStamp("system") ?? {};
  const due = wanted.filter((name) => again || !(Date.now() - tried[name] < day));
  if (due.length === 0) return;
  say(`installing ${due.join(", ")} with ${installer.name}`);
  installer.prepare();
  for (const name of due) {
    installer.install(name);
    tried[name] = Date.now();
  }
  writeStamp("system", tried);
}

function findInstaller() {
  if (process.platform === "darwin") {
    if (output("brew", ["--version"]) === undefined) return undefined;
    return { name: "brew", prepare: () => 0, install: (name) => run("brew", ["install", name], { log }) };
  }
  if (!existsSync("/usr/bin/apt-get")) return undefined;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  const sudo = process.getuid() === 0 ? [] : ["sudo", "-n", "DEBIAN_FRONTEND=noninteractive"];
  const apt = (...args) => {
    const [command, ...rest] = [...sudo, "apt-get", ...args];
    return run(command, rest, { log, env });
  };
  return {
    name: "apt-get",
    prepare: () => apt("update", "-q"),
    install: (name) => apt("install", "-qy", "--no-install-recommends", name),
  };
}

function oneDnnPrefixes() {
  const prefixes = [process.env.DNNLROOT, process.env.ONEDNN_ROOT, "/usr", "/usr/local"];
  if (process.platform === "darwin") {
    prefixes.push("/opt/homebrew/opt/onednn", "/opt/homebrew", "/usr/local/opt/onednn");
  } else if (!existsSync("/usr/include/dnnl_version.h")) {
    prefixes.push(output("pkg-config", ["--variable=prefix", "dnnl"]));
  }
  return prefixes.filter(Boolean);
}

function hasLibrary(prefix) {
  const triplets = { x64: "x86_64-linux-gnu", arm64: "aarch64-linux-gnu" };
  const folders = ["lib", "lib64", `lib/${triplets[process.arch] ?? process.arch}`];
  const names = ["libdnnl.so", "libdnnl.dylib", "libdnnl.a"];
  return folders.some((folder) => names.some((name) => existsSync(join(prefix, folder, name))));
}

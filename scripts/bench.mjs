/** Sets up, gets the peers that the bench compares with, and runs it; arguments go on to bench/run.ts. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root, run } from "./setup/process.mjs";
import { installSystemPackages } from "./setup/system.mjs";
import { setUp } from "./setup.mjs";

const say = (line) => console.log(`bench: ${line}`);
const args = process.argv.slice(2);

/** Never fatal: bench/run.ts looks at what there is, and says who is missing. */
function installPeers() {
  const peers = join(root, "bench", "peers");
  if (!existsSync(join(peers, "node_modules"))) {
    say("installing TensorFlow.js and jax-js in bench/peers");
    run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: peers, log: "runs/bench-peers.log" });
  }
  if (!hasPyTorch()) installSystemPackages([{ "apt-get": "python3-torch" }], { say, again: false });
  // Debian's PyTorch multiplies with whatever BLAS is there; the reference one is forty times slower than OpenBLAS.
  if (!hasOpenBlas()) installSystemPackages([{ "apt-get": "libopenblas0-pthread" }], { say, again: false });
}

function hasOpenBlas() {
  return spawnSync("sh", ["-c", "ldconfig -p | grep -q libopenblas"]).status === 0;
}

function hasPyTorch() {
  return ["/usr/bin/python3", "python3"].some((python) => spawnSync(python, ["-c", "import torch"]).status === 0);
}

try {
  setUp({ quiet: true });
  if (!["--no-peers", "--list", "--help", "-h"].some((option) => args.includes(option))) installPeers();
  process.exitCode = run(process.execPath, ["--import", "tsx", join("bench", "run.ts"), ...args]);
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
}

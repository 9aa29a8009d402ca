/** Who takes part: how each one's process is started, and which of them this machine has. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import type { Workload } from "./workloads.ts";

export type Library = "kindling" | "pytorch" | "tfjs" | "jax-js" | "bare loop";

/** One library in one setting. */
export interface Contender {
  readonly library: Library;
  readonly setting: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly options: {
    readonly channelsLast?: boolean;
    readonly loader?: "DataLoader" | "slices";
    readonly learner?: "full" | "bare";
  };
}

/** The peers that can be started here. */
export interface Peers {
  readonly python: string | undefined; // a Python that has PyTorch
  readonly javascript: boolean;
  readonly notes: readonly string[]; // what is missing or odd, a line each
}

export const noPeers: Peers = { python: undefined, javascript: false, notes: [] };

const peersFolder = fileURLToPath(new URL("peers/", import.meta.url));

/** Looks for the peers; installing them is `scripts/bench.mjs`'s part. */
export function findPeers(): Peers {
  const notes: string[] = [];
  const candidates = ["/usr/bin/python3", "python3"];
  let python: string | undefined;
  for (const candidate of candidates) {
    const blas = probePyTorch(candidate);
    if (blas === undefined) continue;
    python = candidate;
    if (blas === "reference") {
      notes.push(
        "PyTorch computes with the reference BLAS, about 50 times slower than OpenBLAS: no fair peer in matrix products",
      );
    }
    break;
  }
  if (python === undefined) notes.push("PyTorch is missing (Debian, Ubuntu: python3-torch)");
  const javascript = existsSync(`${peersFolder}node_modules/@tensorflow/tfjs`);
  if (!javascript) notes.push("TensorFlow.js and jax-js are missing (npm ci in bench/peers)");
  return { python, javascript, notes };
}

/** Which BLAS PyTorch would use, or undefined where that Python has no PyTorch. Asked of a process of its own. */
function probePyTorch(python: string): "reference" | "tuned" | undefined {
  const script = [
    "import sys, torch",
    "torch.rand(8, 8) @ torch.rand(8, 8)",
    "maps = open('/proc/self/maps').read() if sys.platform == 'linux' else ''",
    "tuned = any(name in maps for name in ('openblas', 'mkl', 'blis', 'atlas'))",
    "print('reference' if '/libblas.so' in maps and not tuned else 'tuned')",
  ].join("\n");
  const { stdout, status } = spawnSync(python, ["-c", script], { encoding: "utf8", env: pythonEnvironment() });
  if (status !== 0) return undefined;
  return stdout.trim() === "reference" ? "reference" : "tuned";
}

/** Those who measure themselves in a workload. `kindlingChild` is the compiled script of kindling's side. */
export function contendersFor(workload: Workload, kindlingChild: string, peers: Peers): Contender[] {
  const node = process.execPath;
  const kindling = (library: Library, setting: string, options: Contender["options"] = {}): Contender => {
    return { library, setting, command: node, args: [kindlingChild], env: process.env, options };
  };
  if (workload.items[0].work.kind === "learner") {
    return [kindling("kindling", "Learner", { learner: "full" }), kindling("bare loop", "", { learner: "bare" })];
  }
  const contenders = [kindling("kindling", ""), ...pytorchContenders(workload, peers)];
  if (peers.javascript && workload.javascript) {
    const peer = (library: Library, setting: string, ...args: string[]): Contender => {
      const [script, ...rest] = args;
      const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: "3" };
      return { library, setting, command: node, args: [`${peersFolder}${script}`, ...rest], env, options: {} };
    };
    contenders.push(peer("tfjs", "wasm", "tfjs.mjs", "wasm"), peer("tfjs", "cpu", "tfjs.mjs", "cpu"));
    contenders.push(peer("jax-js", "wasm", "jax.mjs"));
  }
  return contenders;
}

/** PyTorch with one thread and with two (or all), each in the variants of the workload. */
function pytorchContenders(workload: Workload, peers: Peers): Contender[] {
  const { python } = peers;
  if (python === undefined) return [];
  const variants: { setting: string; options: Contender["options"] }[] = {
    threads: [{ setting: "", options: {} }],
    "memory formats": [
      { setting: " contiguous", options: { channelsLast: false } },
      { setting: " channels-last", options: { channelsLast: true } },
    ],
    loaders: [
      { setting: " DataLoader", options: { loader: "DataLoader" as const } },
      { setting: " slices", options: { loader: "slices" as const } },
    ],
  }[workload.pytorch];
  const threadCounts = [...new Set([1, 2, cpus().length])];
  return threadCounts.flatMap((threads) =>
    variants.map(({ setting, options }) => ({
      library: "pytorch" as const,
      setting: `${threads} thread${threads > 1 ? "s" : ""}${setting}`,
      command: python,
      args: [`${peersFolder}pytorch.py`],
      env: { ...pythonEnvironment(), OMP_NUM_THREADS: String(threads) },
      options,
    })),
  );
}

/** Settings made for other programs must not slow PyTorch down. */
function pythonEnvironment(): NodeJS.ProcessEnv {
  const { OPENBLAS_CORETYPE: _core, OPENBLAS_L2_SIZE: _cache, ...env } = process.env;
  return { ...env, PYTHONDONTWRITEBYTECODE: "1" };
}

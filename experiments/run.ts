/**
 * `npm run experiments [-- ID … --seeds 42,43,44 --list]`; `--help` says what each does.
 *
 * Repeats published experiments over several seeds, judges them by their bands, prints a table and writes
 * experiments/results/ID.json. An experiment is a file in experiments/programs that exports `experiments`; an ID may be
 * its first letters: C runs all whose name begins with C.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { Command, InvalidArgumentError } from "@commander-js/extra-typings";
import { defaultDevice } from "kindling";
import { type Experiment, judge, seedsUpTo, type Verdict } from "./experiment.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const results = new URL("results/", import.meta.url);

async function loadAll(): Promise<readonly Experiment[]> {
  const folder = new URL("programs/", import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith(".ts"));
  const modules = await Promise.all(
    files
      .sort()
      .map((name): Promise<{ readonly experiments: readonly Experiment[] }> => import(new URL(name, folder).href)),
  );
  return modules.flatMap(({ experiments }) => experiments);
}

const program = new Command("npm run experiments --")
  .description(
    "Repeats published experiments and judges them by their bands; the exit code tells whether all are inside.",
  )
  .argument("[ids...]", "experiments, or the letters their names begin with (default: all)")
  .option(
    "--seeds <numbers>",
    "seeds, with commas between them (default: the experiment's own, else 42,43,44)",
    toSeeds,
  )
  .option("--list", "print what there is and stop")
  .parse();

function toSeeds(text: string): readonly number[] {
  const seeds = text.split(",").map(Number);
  if (seeds.every(Number.isSafeInteger)) return seeds;
  throw new InvalidArgumentError("Seeds are whole numbers.");
}

function show({ id, title, published = {} }: Experiment, { report, checks, seconds }: Verdict): void {
  console.log(`\n${id}: ${title} (${seconds.toFixed(1)} s)`);
  console.log(String(report));
  for (const [name, text] of Object.entries(published)) console.log(`  published ${name}: ${text}`);
  for (const { text, passed } of checks) console.log(`  ${passed ? "ok    " : "FAILED"} ${text}`);
}

function write(
  { id, title, source, settings, published = {} }: Experiment,
  { report, checks, seconds }: Verdict,
): void {
  const { seeds, figures } = report;
  const content = {
    id,
    title,
    source,
    settings,
    published,
    commit,
    machine: { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version, device: defaultDevice() },
    seconds: Number(seconds.toFixed(1)),
    seeds,
    figures: Object.fromEntries(Object.entries(figures).map(([name, { values }]) => [name, values])),
    checks,
  };
  mkdirSync(results, { recursive: true });
  writeFileSync(new URL(`${id}.json`, results), `${JSON.stringify(content, null, 2)}\n`);
}

/** The commit at the start: results of this very run do not count as changes. */
function commitNow(): string {
  try {
    return execFileSync("git", ["describe", "--always", "--dirty"], { cwd: root, encoding: "utf8" }).trim();
  } catch {
    return "unknown";
  }
}

const commit = commitNow();
const [ids] = program.processedArgs;
const { seeds, list } = program.opts();
const all = await loadAll();
const strange = ids.find((prefix) => !all.some(({ id }) => id.startsWith(prefix)));
if (strange !== undefined) {
  program.error(`error: no experiment begins with "${strange}"; there are ${all.map(({ id }) => id).join(", ")}.`);
}
const chosen = all.filter(({ id }) => ids.length === 0 || ids.some((prefix) => id.startsWith(prefix)));
if (list) {
  for (const { id, title } of chosen) console.log(`${id.padEnd(10)} ${title}`);
} else {
  let failed = 0;
  for (const experiment of chosen) {
    const verdict = await judge(experiment, seeds ?? experiment.seeds ?? seedsUpTo(3));
    show(experiment, verdict);
    write(experiment, verdict);
    failed += verdict.checks.filter(({ passed }) => !passed).length;
  }
  console.log(`\n${chosen.length} experiments, ${failed === 0 ? "all inside their bands" : `${failed} checks failed`}`);
  process.exitCode = failed === 0 ? 0 : 1;
}

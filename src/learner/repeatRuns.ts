import { ArgumentError, KindlingError } from "../backend/errors.ts";
import { getRandomState, manualSeed, setRandomState } from "../tensor/random.ts";
import { Table } from "../viz/terminal/table.ts";
import type { Awaitable } from "./callback.ts";

/** One figure over all runs. */
export interface RunSummary {
  readonly mean: number;
  /** Standard deviation of the sample (n − 1); NaN for a single run. */
  readonly std: number;
  readonly min: number;
  readonly max: number;
  /** One value per run, in the order of the seeds. */
  readonly values: readonly number[];
  /** Seeds of the runs whose value lies far from the others: a modified z-score above 3.5, or not finite. */
  readonly outliers: readonly number[];
}

/** What {@link repeatRuns} found; printed, it is a table. */
export class RunReport {
  readonly seeds: readonly number[];
  /** By name; a run that gives a single number has the one figure `value`. */
  readonly figures: Readonly<Record<string, RunSummary>>;

  constructor(seeds: readonly number[], figures: Readonly<Record<string, RunSummary>>) {
    this.seeds = seeds;
    this.figures = figures;
  }

  toString(): string {
    const lines = [`${this.seeds.length} runs, seeds ${this.seeds.join(", ")}`];
    const figures = Object.entries(this.figures);
    const width = Math.max(0, ...figures.map(([name]) => name.length));
    const columns = [{ name: "figure", kind: "text" as const }, "mean", "std", "min", "max"];
    const table = new Table([...columns, { name: "outliers", kind: "text" }], { write: (line) => lines.push(line) });
    for (const [name, { mean, std, min, max, outliers }] of figures) {
      const far = outliers.map((seed) => `seed ${seed}`).join(", ");
      table.row({ figure: name.padEnd(width), mean, std, min, max, outliers: far });
    }
    return lines.join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

/** Options of {@link repeatRuns}. */
export interface RepeatRunsOptions {
  /** Called after each run, to keep what is there if a later one fails. */
  readonly onRun?: (seed: number, figures: Readonly<Record<string, number>>) => void;
}

/**
 * Runs an experiment once per seed, one after the other, and says how much its figures vary: one seed proves nothing.
 *
 * The global random sequence is seeded before each run and put back after the last.
 *
 * @param seeds - Seeds, or how many: 0 up to that number.
 * @param fn - The experiment; gives a figure, or some by name, the same in every run.
 * @throws {@link ArgumentError} without seeds, for a seed given twice, or when runs give different figures.
 * @see Iglewicz and Hoaglin 1993 for the modified z-score: 0.6745·|x − median| / median absolute deviation.
 * @example
 * const report = await repeatRuns([1, 2, 3], async (seed) => ({ accuracy: 0.9 + seed / 100 }));
 * report.figures["accuracy"].mean.toFixed(2); // => "0.92"
 */
export async function repeatRuns(
  seeds: readonly number[] | number,
  fn: (seed: number) => Awaitable<number | Readonly<Record<string, number>>>,
  { onRun }: RepeatRunsOptions = {},
): Promise<RunReport> {
  const list = typeof seeds === "number" ? Array.from({ length: seeds }, (_, i) => i) : [...seeds];
  if (list.length === 0) throw new ArgumentError("repeatRuns", "there are no seeds.");
  if (new Set(list).size < list.length)
    throw new ArgumentError("repeatRuns", `a seed is given twice: ${list.join(", ")}.`);
  const random = getRandomState();
  const runs: Readonly<Record<string, number>>[] = [];
  try {
    for (const seed of list) {
      const figures = await run(seed, fn);
      checkNames(figures, runs[0] ?? figures, seed);
      runs.push(figures);
      onRun?.(seed, figures);
    }
  } finally {
    setRandomState(random);
  }
  const names = Object.keys(runs[0]);
  return new RunReport(
    list,
    Object.fromEntries(
      names.map((name) => [
        name,
        summary(
          list,
          runs.map((figures) => figures[name]),
        ),
      ]),
    ),
  );
}

async function run(
  seed: number,
  fn: (seed: number) => Awaitable<number | Readonly<Record<string, number>>>,
): Promise<Readonly<Record<string, number>>> {
  manualSeed(seed);
  try {
    const result = await fn(seed);
    return typeof result === "number" ? { value: result } : { ...result };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new KindlingError("repeatRuns", `the run with seed ${seed} failed: ${message}`, { cause: error });
  }
}

function checkNames(figures: object, first: object, seed: number): void {
  const [names, wanted] = [Object.keys(figures).sort().join(", "), Object.keys(first).sort().join(", ")];
  if (names === wanted) return;
  throw new ArgumentError(
    "repeatRuns",
    `the run with seed ${seed} gave the figures ${names}, the first one ${wanted}.`,
  );
}

function summary(seeds: readonly number[], values: readonly number[]): RunSummary {
  const n = values.length;
  const mean = values.reduce((sum, x) => sum + x, 0) / n;
  const std = n < 2 ? Number.NaN : Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (n - 1));
  const finite = values.filter(Number.isFinite);
  const middle = median(finite);
  const spread = median(finite.map((x) => Math.abs(x - middle)));
  // With more than half of the values equal the spread is 0, and the mean deviation takes its place.
  const deviation = finite.reduce((sum, x) => sum + Math.abs(x - middle), 0) / finite.length;
  const scale = spread > 0 ? spread / 0.6745 : deviation * 1.2533;
  const isFar = (x: number): boolean => !Number.isFinite(x) || (scale > 0 && Math.abs(x - middle) / scale > 3.5);
  const outliers = seeds.filter((_, i) => isFar(values[i]));
  return { mean, std, min: Math.min(...values), max: Math.max(...values), values, outliers };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

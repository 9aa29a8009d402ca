import { type RunReport, repeatRuns } from "kindling";

/** Figures of one run by name. */
export type Figures = Readonly<Record<string, number>>;

/** What must hold of the runs of an experiment. */
export interface Check {
  readonly text: string;
  /** Gets each figure's values, one per seed. */
  readonly holds: (values: (figure: string) => readonly number[]) => boolean;
}

/** A published run that kindling repeats. */
export interface Experiment {
  /** Name on the command line and of the file of results; the letter is the one of the source's list. */
  readonly id: string;
  readonly title: string;
  /** Where settings and figures come from. */
  readonly source: string;
  readonly settings: Readonly<Record<string, string | number>>;
  /** Figures that the source prints, for the reader. */
  readonly published?: Readonly<Record<string, string>>;
  /** Default 42, 43, 44; more where single runs vary too much for three to tell anything. */
  readonly seeds?: readonly number[];
  /** One run; the global random sequence is seeded before. */
  readonly run: (seed: number) => Promise<Figures>;
  readonly checks: readonly Check[];
}

/** What became of the checks. */
export interface Verdict {
  readonly report: RunReport;
  readonly checks: readonly { readonly text: string; readonly passed: boolean }[];
  readonly seconds: number;
}

/** Runs an experiment over seeds and judges it. */
export async function judge(experiment: Experiment, seeds: readonly number[]): Promise<Verdict> {
  const start = performance.now();
  const report = await repeatRuns(seeds, experiment.run);
  const checks = experiment.checks.map(({ text, holds }) => ({
    text,
    passed: holds((figure) => {
      const summary = report.figures[figure];
      if (summary === undefined) throw new Error(`experiment ${experiment.id} has no figure "${figure}"`);
      return summary.values;
    }),
  }));
  return { report, checks, seconds: (performance.now() - start) / 1000 };
}

/** Every seed's value lies in [low, high]. */
export function within(figure: string, low: number, high: number): Check {
  return {
    text: `${figure} from ${low} to ${high}, every seed`,
    holds: (values) => values(figure).every((value) => value >= low && value <= high),
  };
}

/** 42, 43, … */
export function seedsUpTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => 42 + i);
}

/** Every seed's value is at least `low`. */
export function atLeast(figure: string, low: number): Check {
  return { text: `${figure} at least ${low}, every seed`, holds: (values) => values(figure).every((v) => v >= low) };
}

/** The middle seed's value is at least `low`: for figures of which a single one may dip. */
export function typically(figure: string, low: number): Check {
  return { text: `${figure} at least ${low}, middle seed`, holds: (values) => median(values(figure)) >= low };
}

/** Every seed's value is exactly `wanted`. */
export function exactly(figure: string, wanted: number): Check {
  return { text: `${figure} is ${wanted}, every seed`, holds: (values) => values(figure).every((v) => v === wanted) };
}

/** A run that failed, NaN, is lower than any other. */
function median(values: readonly number[]): number {
  const sorted = values.map((value) => (Number.isNaN(value) ? Number.NEGATIVE_INFINITY : value)).sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)];
}

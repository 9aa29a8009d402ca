/** Measuring one item: contenders take turns, round after round, and never work at the same time. */
import { type Answer, Child } from "./child.ts";
import type { Contender, Library } from "./contenders.ts";
import type { Item, Workload } from "./workloads.ts";

/** What one contender showed. */
export interface Outcome {
  readonly library: Library;
  readonly setting: string;
  readonly version: string;
  readonly failure: string | undefined; // why it has no figures
  /** Seconds of a step, or of the job, one figure a round. */
  readonly seconds: readonly number[];
  readonly stepsPerRound: number;
  readonly share: number; // below 1, the job was cut off and its time is extrapolated
  readonly accuracies: readonly number[]; // one a round, each with a seed of its own
  readonly last: Answer; // loss, memory
}

export interface MeasureOptions {
  readonly rounds: number;
  readonly log: (line: string) => void;
}

const sliceSeconds = 0.4;
const jobRounds = 3;
const jobLimit = 60; // seconds after which the JavaScript peers may stop and be extrapolated
const longestWarmUp = 6; // seconds
const slowStep = 15; // seconds; whoever needs longer for one step is measured once
const firstSeed = 42;
const pauseMs = 30; // lets the last one's thread pool fall asleep

/** Starts the contenders of a workload, measures its items one after the other, and ends them. */
export async function measureWorkload(
  workload: Workload,
  contenders: readonly Contender[],
  options: MeasureOptions,
): Promise<Outcome[][]> {
  const children = contenders.map((contender) => new Child(contender));
  try {
    const versions: string[] = [];
    const failures = new Map<Child, string>();
    for (const child of children) {
      const { hello, error } = await child.hello();
      versions.push(hello ?? "");
      if (error !== undefined) failures.set(child, error);
    }
    const outcomes: Outcome[][] = [];
    for (const item of workload.items) {
      options.log(item.name);
      const entrants = children.map((child, i) => new Entrant(child, item, versions[i], failures.get(child)));
      for (const entrant of entrants) await entrant.prepare(workload.job);
      await takeTurns(entrants, workload.job ? Math.min(options.rounds, jobRounds) : options.rounds);
      outcomes.push(entrants.map((entrant) => entrant.outcome()));
    }
    return outcomes;
  } finally {
    for (const child of children) child.stop();
  }
}

/** Each round begins with another contender, so that none always follows the same neighbour. */
async function takeTurns(entrants: readonly Entrant[], rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < entrants.length; turn++) {
      await entrants[(round + turn) % entrants.length].turn();
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }
}

/** One contender at one item. */
class Entrant {
  private readonly _child: Child;
  private readonly _item: Item;
  private readonly _version: string;
  private _failure: string | undefined;
  private _steps = 1;
  private _share = 1;
  private _isDone = false;
  private readonly _seconds: number[] = [];
  private readonly _accuracies: number[] = [];
  private _last: Answer = {};

  constructor(child: Child, item: Item, version: string, failure: string | undefined) {
    this._child = child;
    this._item = item;
    this._version = version;
    this._failure = failure;
  }

  /** Builds the work and warms up: the first steps do not count. */
  async prepare(isJob: boolean): Promise<void> {
    if (this._failure !== undefined) return;
    const { work } = this._item;
    const answer = await this._child.ask({ prepare: work, options: this._child.contender.options });
    this._failure = answer.unsupported ?? answer.error;
    const expected = "parameters" in work ? work.parameters : undefined;
    if (this._failure === undefined && expected !== undefined && answer.parameters !== expected) {
      this._failure = `another model: ${answer.parameters} parameters, not ${expected}`;
    }
    if (this._failure !== undefined || isJob) return;
    const first = await this._run();
    if (first === undefined) return;
    if (first > slowStep) {
      this._seconds.push(first);
      this._isDone = true;
      return;
    }
    await this._warmUp();
  }

  /**
   * Slices until two in a row gain nothing: just-in-time compilers may need seconds on a slow machine. Also finds how
   * many steps fill a slice.
   */
  private async _warmUp(): Promise<void> {
    const end = performance.now() + 1000 * longestWarmUp;
    let best = Number.POSITIVE_INFINITY;
    for (let idle = 0; idle < 2 && performance.now() < end; ) {
      const seconds = await this._run();
      if (seconds === undefined) return;
      idle = seconds < 0.95 * best ? 0 : idle + 1;
      best = Math.min(best, seconds);
      this._steps = Math.max(1, Math.round(sliceSeconds / seconds));
    }
  }

  async turn(): Promise<void> {
    if (this._failure !== undefined || this._isDone) return;
    const seconds = await this._run();
    if (seconds === undefined) return;
    this._seconds.push(seconds);
    this._isDone = seconds > jobLimit / 2; // too slow to be asked again
  }

  outcome(): Outcome {
    const { library, setting } = this._child.contender;
    return {
      library,
      setting,
      version: this._version,
      failure: this._failure,
      seconds: this._seconds,
      stepsPerRound: this._steps,
      share: this._share,
      accuracies: this._accuracies,
      last: this._last,
    };
  }

  /** Seconds a step, or undefined when it failed. */
  private async _run(): Promise<number | undefined> {
    const answer = await this._child.ask({ run: this._steps, limit: jobLimit, seed: firstSeed + this._seconds.length });
    this._last = answer;
    if (answer.accuracy !== undefined) this._accuracies.push(answer.accuracy);
    if (answer.loss === null) this._failure = "its loss is not a number";
    else if (answer.seconds === undefined) this._failure = answer.error ?? "an answer without a time";
    if (this._failure !== undefined || answer.seconds === undefined) return undefined;
    this._share = answer.share ?? 1;
    return answer.seconds / this._share / (answer.steps ?? this._steps);
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

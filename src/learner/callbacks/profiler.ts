import { print } from "#platform";
import { Table } from "../../viz/terminal/table.ts";
import type { Callback, Event } from "../callback.ts";
import type { Learner } from "../learner.ts";
import { type ModuleTime, ModuleTimer } from "./moduleTimer.ts";

/** What the time of a pass went into. `forward` has the loss in it, `loop` is what is left: the learner itself. */
const parts = ["data", "forward", "backward", "step", "callbacks", "loop"] as const;

type Part = (typeof parts)[number];

/** Where the time of one pass went, in seconds. */
export interface PassProfile extends Readonly<Record<Part, number>> {
  readonly epoch: number;
  readonly pass: "training" | "validation";
  readonly batches: number;
  /** All parts together. */
  readonly total: number;
}

/** Options of {@link Profiler}. */
export interface ProfilerOptions {
  /** Whether modules are timed too, by class, forward and backward. Default false. */
  readonly modules?: boolean;
  /** Takes the lines of the table when the fit is over; false prints nothing. Default prints on stdout. */
  readonly write?: ((line: string) => void) | false;
}

/** What has just been going on when an event is published; other events follow on other callbacks. */
const before: { readonly [E in Event]?: Part } = {
  beforeBatch: "data",
  afterPredict: "forward",
  afterLoss: "forward",
  afterBackward: "backward",
  afterStep: "step",
  afterBatch: "step", // forgetting the gradients
};

const timed: readonly Event[] = [
  "beforePass",
  "beforeBatch",
  "afterPredict",
  "afterLoss",
  "beforeBackward",
  "afterBackward",
  "afterCancelBackward",
  "beforeStep",
  "afterStep",
  "afterCancelStep",
  "afterBatch",
  "afterCancelBatch",
];

const cleanups: readonly Event[] = ["cleanupBackward", "cleanupStep", "cleanupBatch"];

/**
 * Measures where the time of each pass goes: data, forward, backward, step, callbacks, and the loop around them; with
 * `modules` also which classes of modules it goes into.
 *
 * It takes about a microsecond per event of a batch; timing modules some more per module and per operation.
 *
 * @see PyTorch: `torch.profiler`; Lightning: SimpleProfiler.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const learn = new Learner(DataLoaders.fromDatasets(data, data), new nn.Linear(4, 2), { loss: F.crossEntropy });
 * const profiler = new Profiler({ modules: true, write: false });
 * await learn.fit(1, { callbacks: [profiler] });
 * profiler.passes.map(({ pass }) => pass); // => ["training", "validation"]
 * profiler.modules.map(({ name }) => name).includes("Linear"); // => true
 */
export class Profiler implements Callback {
  /** Before all others; a second callback stands behind all others during a fit. */
  readonly order = Number.NEGATIVE_INFINITY;
  readonly watches = true;
  /** One entry per pass of the latest fit. */
  readonly passes: PassProfile[] = [];
  private readonly _last: Callback = { order: Number.POSITIVE_INFINITY, name: "Profiler", watches: true };
  private readonly _timer: ModuleTimer | undefined;
  private readonly _write: ((line: string) => void) | false;
  private _times: Record<Part, number> = noTimes();
  private _batches = 0;
  private _latest = 0;

  constructor({ modules = false, write = print }: ProfilerOptions = {}) {
    this._timer = modules ? new ModuleTimer() : undefined;
    this._write = write;
    const first: Callback = {};
    for (const event of timed) {
      first[event] = () => this.lap(before[event] ?? "loop");
      this._last[event] = () => this.lap("callbacks");
    }
    for (const event of cleanups) {
      this._last[event] = () => this.lap("loop");
      first[event] = () => this.lap("callbacks");
    }
    first.beforePass = () => this.begin();
    first.cleanupPass = (learn) => this.end(learn);
    if (this._timer !== undefined) this.timeModules(this._timer, first, this._last);
    Object.assign(this, first);
  }

  /**
   * Time per class of modules in the training passes of the latest fit, the longest first; modules count without those
   * inside them. `(loss)` is what came after the model. Empty unless asked for.
   */
  get modules(): readonly ModuleTime[] {
    return this._timer?.times(this.trainingSeconds()) ?? [];
  }

  beforeFit(learn: Learner): void {
    this.passes.length = 0;
    this._timer?.begin(learn.model);
    learn.addCallback(this._last);
  }

  cleanupFit(learn: Learner): void {
    learn.removeCallback(this._last);
    this._timer?.end();
    if (this._write !== false) for (const line of this.toString().split("\n")) this._write(line);
  }

  /** The share of each part of the time per pass, and of each class of modules in training. */
  toString(): string {
    const lines: string[] = [];
    const write = (line: string): void => void lines.push(line);
    const columns = [
      { name: "epoch", kind: "integer" as const },
      { name: "pass", kind: "text" as const },
    ];
    const time = { name: "time", kind: "seconds" } as const;
    const shares = parts.map((part) => ({ name: heading(part), kind: "text" as const }));
    const table = new Table([...columns, time, ...shares], { write });
    for (const profile of this.passes) {
      const cells = parts.map((part) => [heading(part), percent(profile[part] / profile.total)]);
      const { epoch, pass, total } = profile;
      table.row({ epoch, pass: pass.slice(0, 5), time: total, ...Object.fromEntries(cells) });
    }
    if (this.modules.length > 0) moduleTable(this.modules, write);
    return lines.join("\n");
  }

  private begin(): void {
    this._times = noTimes();
    this._batches = 0;
    this._latest = performance.now();
  }

  private end({ epoch, pass, iteration }: Learner): void {
    this.lap("loop");
    this._batches = iteration;
    const total = parts.reduce((sum, part) => sum + this._times[part], 0);
    this.passes.push({ epoch, pass, batches: this._batches, total, ...this._times });
  }

  private lap(part: Part): void {
    const now = performance.now();
    this._times[part] += (now - this._latest) / 1000;
    this._latest = now;
  }

  private trainingSeconds(): number {
    return this.passes.reduce((sum, { pass, total }) => (pass === "training" ? sum + total : sum), 0);
  }

  /** The tape is looked at right before it is run, the modules' time stands still outside forward and backward. */
  private timeModules(timer: ModuleTimer, first: Callback, last: Callback): void {
    last.beforeBatch = (learn) => {
      this.lap("callbacks");
      if (learn.training) timer.beforeBatch();
      timer.start();
    };
    for (const event of ["afterPredict", "afterLoss"] as const) {
      first[event] = () => {
        timer.stop();
        this.lap("forward");
      };
    }
    last.afterPredict = () => {
      this.lap("callbacks");
      timer.start();
    };
    last.beforeBackward = (learn) => {
      timer.beforeBackward(learn.loss);
      this.lap("callbacks");
    };
    first.afterBackward = () => {
      this.lap("backward");
      timer.afterBackward();
    };
    first.cleanupBatch = () => {
      this.lap("callbacks");
      timer.afterBatch();
    };
  }
}

function noTimes(): Record<Part, number> {
  return { data: 0, forward: 0, backward: 0, step: 0, callbacks: 0, loop: 0 };
}

function moduleTable(modules: readonly ModuleTime[], write: (line: string) => void): void {
  const column = "module".padEnd(Math.max(...modules.map(({ name }) => name.length)));
  const figures = ["forward", "backward", "share"].map((name) => ({ name: heading(name), kind: "text" as const }));
  const table = new Table([{ name: column, kind: "text" }, { name: "calls", kind: "integer" }, ...figures], { write });
  for (const { name, calls, forward, backward, share } of modules) {
    const cells = [milliseconds(forward), milliseconds(backward), percent(share)];
    const values = cells.map((cell, i) => [figures[i].name, cell]);
    table.row({ [column]: name, calls, ...Object.fromEntries(values) });
  }
}

/** Text columns stand left, so heads and figures are brought to one width. */
function heading(name: string): string {
  return name.padStart(10);
}

function milliseconds(seconds: number): string {
  return `${(seconds * 1000).toFixed(1)} ms`.padStart(10);
}

function percent(share: number): string {
  return `${(100 * (Number.isFinite(share) ? share : 0)).toFixed(1)} %`.padStart(10);
}

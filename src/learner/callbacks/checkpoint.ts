import { ArgumentError } from "../../backend/errors.ts";
import { saveCheckpoint } from "../../io/checkpoint.ts";
import { isRecord } from "../../io/json.ts";
import type { Awaitable, Callback, Json } from "../callback.ts";
import type { Learner } from "../learner.ts";
import { checkpointOf } from "../resume.ts";

/** When {@link Checkpoint} saves, and what it keeps. */
export interface CheckpointOptions {
  /** Saves after every so many training batches. Default never. */
  readonly everySteps?: number;
  /** Saves after every so many epochs. Default 1, unless another interval is given. */
  readonly everyEpochs?: number;
  /** Saves after the first training batch that ends so many minutes after the last save. Default never. */
  readonly everyMinutes?: number;
  /** How many of the newest stay. Default 3. */
  readonly keep?: number;
  /** A figure such as `valid.loss`; the checkpoint of the epoch where it is best stays in the folder `best`. Default none. */
  readonly best?: `${"train" | "valid"}.${string}`;
  /** Whether the best is the smallest or the largest. Default "min" where the figure is a loss or error, else "max". */
  readonly mode?: "min" | "max";
}

/**
 * Saves checkpoints, from which `fit(epochs, { resume: folder })` goes on as if it had never stopped, and once more when
 * the fit is aborted or cancelled.
 *
 * A checkpoint that cannot be written ends the fit with a {@link DataError} naming the path; the learner itself is in order
 * and can be saved elsewhere.
 *
 * @throws {@link ArgumentError} for intervals that are not above 0; after the first epoch, for a figure that is not there.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const dls = DataLoaders.fromDatasets(data, data, { batchSize: 4 });
 * const learn = new Learner(dls, new nn.Linear(4, 2), { loss: F.crossEntropy });
 * await learn.fit(2, { resume: "runs/every-step", callbacks: [new Checkpoint("runs/every-step", { everySteps: 1 })] });
 * learn.steps; // => 4
 */
export class Checkpoint implements Callback {
  /** After everything whose state it keeps. */
  readonly order = 1000;
  readonly watches = true;
  readonly folder: string;
  private readonly _options: CheckpointOptions;
  private _lastSave = 0;
  private _best: number | undefined;

  constructor(folder: string, options: CheckpointOptions = {}) {
    for (const name of ["everySteps", "everyEpochs", "everyMinutes", "keep"] as const) {
      const value = options[name] ?? 1;
      if (!(value > 0)) throw new ArgumentError("Checkpoint", `${name} must be above 0, got ${value}.`);
    }
    this.folder = folder;
    this._options = options;
  }

  beforeFit(): void {
    this._best = undefined;
    this._lastSave = performance.now();
  }

  afterBatch(learn: Learner): Awaitable<void> {
    const { everySteps = Number.POSITIVE_INFINITY, everyMinutes = Number.POSITIVE_INFINITY } = this._options;
    if (!learn.training) return;
    const isLate = performance.now() - this._lastSave >= everyMinutes * 60_000;
    if (learn.steps % everySteps === 0 || isLate) return this.save(learn);
  }

  async afterEpoch(learn: Learner): Promise<void> {
    const { everySteps, everyMinutes, best } = this._options;
    const { everyEpochs = everySteps === undefined && everyMinutes === undefined ? 1 : undefined } = this._options;
    if (best !== undefined) await this.saveBest(learn, best);
    const isLast = learn.epoch + 1 === learn.epochs;
    if (isLast || (everyEpochs !== undefined && (learn.epoch + 1) % everyEpochs === 0)) await this.save(learn);
  }

  async afterCancelFit(learn: Learner): Promise<void> {
    await this.save(learn, learn._signal?.aborted === true ? undefined : learn.stopReason);
  }

  state(): Json {
    return { best: this._best ?? null };
  }

  loadState(state: Json): void {
    if (isRecord(state) && typeof state["best"] === "number") this._best = state["best"];
  }

  private async save(learn: Learner, ended?: string): Promise<void> {
    await saveCheckpoint(this.folder, checkpointOf(learn, { ended }), { keep: this._options.keep ?? 3 });
    this._lastSave = performance.now();
  }

  private async saveBest(learn: Learner, name: string): Promise<void> {
    const record = learn.recorder.records.at(-1);
    const [part, ...rest] = name.split(".");
    const figure = rest.join(".");
    const value = (part === "train" ? record?.train : record?.valid)?.[figure];
    if (value === undefined) {
      const known = Object.keys(record?.valid ?? record?.train ?? {}).join(", ");
      throw new ArgumentError("Checkpoint", `there is no figure "${name}" in the record. Known: ${known}.`);
    }
    const { mode = /loss|error|perplexity/i.test(figure) ? "min" : "max" } = this._options;
    if (!(this._best === undefined || (mode === "min" ? value < this._best : value > this._best))) return;
    if (Number.isNaN(value)) return;
    this._best = value;
    await saveCheckpoint(`${this.folder}/best`, checkpointOf(learn), { keep: 1 });
  }
}

import { printsToTerminal } from "#platform";
import {
  type Progress as Bar,
  type ProgressOptions as BarOptions,
  startProgress,
} from "../../viz/terminal/progress.ts";
import { type Column, Table, type TableOptions } from "../../viz/terminal/table.ts";
import type { Callback } from "../callback.ts";
import type { Learner } from "../learner.ts";

/** What {@link Progress} shows, and where. */
export interface ProgressOptions {
  /** A row per epoch: always, never, or where stdout is a terminal. Default "auto". */
  readonly table?: boolean | "auto";
  /** A bar per pass on stderr, where that is a terminal. Default true. */
  readonly bar?: boolean;
  /** Takes each line of the table. Default prints it on stdout. */
  readonly write?: (line: string) => void;
  /** Where bars are drawn. Default stderr. */
  readonly stream?: BarOptions["stream"];
}

/**
 * Shows how training goes: a bar with the live loss for each pass, and a table with a row per epoch.
 *
 * The row has the mean losses of both passes, the metrics of validation (of training where nothing was validated) and
 * the time. Every learner has one unless its option `progress` is false.
 *
 * @see fastai: ProgressCallback. Differs: it replaces nothing on other callbacks, so nothing is left to put back.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const lines: string[] = [];
 * const learn = new Learner(DataLoaders.fromDatasets(data, data), new nn.Linear(4, 2), { loss: F.crossEntropy });
 * await learn.fit(2, { callbacks: [new Progress({ table: true, write: (line) => lines.push(line) })] });
 * lines.length; // => 3
 */
export class Progress implements Callback {
  /** After the recorder, whose figures it shows. */
  readonly order = 100;
  readonly watches = true;
  private readonly _options: ProgressOptions;
  private readonly _shown: { loss: number } = { loss: 0 };
  private _bar: Bar | undefined;
  private _table: Table | undefined;
  private _isFitting = false;

  constructor(options: ProgressOptions = {}) {
    this._options = options;
  }

  beforeFit(learn: Learner): void {
    this._isFitting = true;
    const { table = "auto", write } = this._options;
    const shown = table === "auto" ? write !== undefined || printsToTerminal() : table;
    // Where there are several, the latest one shows.
    const latest = learn.callbacks.findLast((callback) => callback instanceof Progress);
    this._table = shown && latest === this ? new Table(columnsOf(learn), tableOptions(write)) : undefined;
  }

  async beforePass(learn: Learner): Promise<void> {
    const { bar = true, stream } = this._options;
    const latest = learn.callbacks.findLast((callback) => callback instanceof Progress);
    if (!bar || latest !== this) return;
    const where = stream === undefined ? {} : { stream };
    const label = this._isFitting ? `epoch ${learn.epoch + 1}/${learn.epochs} ${learn.pass}` : learn.pass;
    const started = await startProgress({ total: learn.iterations, label, ...where });
    this._bar = started.isShown ? started : undefined;
    this._shown.loss = 0;
  }

  afterBatch(learn: Learner): void {
    if (this._bar === undefined) return;
    const { iteration } = learn;
    const loss = learn.metrics.batchLoss;
    // The mean of about the last fifty batches, and of all where there are fewer.
    this._shown.loss += (loss - this._shown.loss) / Math.min(iteration + 1, 50);
    this._bar.update(iteration + 1, this._shown);
  }

  cleanupPass(): void {
    this._bar?.stop();
    this._bar = undefined;
  }

  afterEpoch(learn: Learner): void {
    this.row(learn);
  }

  afterCancelEpoch(learn: Learner): void {
    this.row(learn);
  }

  cleanupFit(): void {
    this._isFitting = false;
    this._table = undefined;
    this.cleanupPass();
  }

  private row(learn: Learner): void {
    const record = learn.recorder.records.at(-1);
    if (this._table === undefined || record?.epoch !== learn.epoch) return;
    const figures = record.valid ?? record.train ?? {};
    const metrics = metricNames(learn).map((name): [string, number | undefined] => [columnName(name), figures[name]]);
    this._table.row({
      epoch: record.epoch,
      "train loss": record.train?.loss,
      "valid loss": record.valid?.loss,
      ...Object.fromEntries(metrics),
      time: record.seconds,
    });
  }
}

const ownColumns: readonly string[] = ["epoch", "train loss", "valid loss", "time"];

function columnsOf(learn: Learner): Column[] {
  return [
    { name: "epoch", kind: "integer" },
    "train loss",
    "valid loss",
    ...metricNames(learn).map(columnName),
    { name: "time", kind: "seconds" },
  ];
}

function metricNames(learn: Learner): string[] {
  return learn.metrics.names().filter((name) => name !== "loss");
}

/** A metric may be called as one of the table's own columns. */
function columnName(metric: string): string {
  return ownColumns.includes(metric) ? `metric ${metric}` : metric;
}

function tableOptions(write: ((line: string) => void) | undefined): TableOptions {
  return write === undefined ? {} : { write };
}

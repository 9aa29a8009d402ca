import type { Callback, Json } from "../callback.ts";
import type { Learner } from "../learner.ts";
import { LineFile, type LineFileOptions } from "./lineFile.ts";

/**
 * Writes a row per epoch to a CSV file: the epoch, the figures of both passes, the learning rate of the last group and the
 * time in seconds.
 *
 * Each row is in the file when the epoch ends. A file that is there is added to; a resumed run first takes off the rows it
 * is about to write again.
 *
 * @throws {@link DataError} when the fit begins, if the file has other columns.
 * @see fastai: CSVLogger.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const dls = DataLoaders.fromDatasets(data, data);
 * const learn = new Learner(dls, new nn.Linear(4, 2), { loss: F.crossEntropy, metrics: { accuracy } });
 * await learn.fit(2, { callbacks: [new CsvLogger("runs/history.csv")] });
 * // epoch,train.loss,train.accuracy,valid.loss,valid.accuracy,lr,seconds
 * // 0,0.5432,0.83,0.4711,0.86,0.1,3.2
 */
export class CsvLogger implements Callback {
  readonly order = 110;
  readonly watches = true;
  private readonly _file: LineFile;

  /** @param path - The file; missing folders are made. */
  constructor(path: string, options: LineFileOptions = {}) {
    this._file = new LineFile("CsvLogger", path, options);
  }

  async beforeFit(learn: Learner): Promise<void> {
    await this._file.begin(columns(learn).map(cell).join(","));
  }

  async afterEpoch(learn: Learner): Promise<void> {
    await this.row(learn);
  }

  async afterCancelEpoch(learn: Learner): Promise<void> {
    await this.row(learn);
  }

  state(): Json {
    return this._file.state();
  }

  loadState(state: Json): void {
    this._file.loadState(state);
  }

  private async row(learn: Learner): Promise<void> {
    const record = learn.recorder.records.at(-1);
    if (record === undefined || record.epoch !== learn.epoch) return;
    const names = learn.metrics.names();
    const lr = learn.optimizer.paramGroups.at(-1)?.hypers.lr;
    const figures = [record.train, record.valid].flatMap((pass) => names.map((name) => pass?.[name]));
    await this._file.add([record.epoch, ...figures, lr, record.seconds].map(cell).join(","));
  }
}

function columns({ metrics }: Learner): string[] {
  const names = metrics.names();
  const figures = ["train", "valid"].flatMap((pass) => names.map((name) => `${pass}.${name}`));
  return ["epoch", ...figures, "lr", "seconds"];
}

function cell(value: string | number | undefined): string {
  const text = String(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

import type { Callback, Json } from "../callback.ts";
import type { Learner } from "../learner.ts";
import { LineFile, type LineFileOptions } from "./lineFile.ts";

/**
 * Writes a line of JSON per epoch: `epoch`, `train` and `valid` figures, `hypers` of each parameter group, `seconds`, and
 * the `time` it ended. Numbers that are not finite are `null`, as JSON has no others.
 *
 * Each line is in the file when the epoch ends. A file that is there is added to; a resumed run first takes off the lines
 * it is about to write again.
 *
 * @see https://jsonlines.org
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const dls = DataLoaders.fromDatasets(data, data);
 * const learn = new Learner(dls, new nn.Linear(4, 2), { loss: F.crossEntropy, metrics: { accuracy } });
 * await learn.fit(2, { callbacks: [new JsonlLogger("runs/history.jsonl")] });
 * // {"epoch":0,"train":{"loss":0.5432},"valid":{"loss":0.4711},"hypers":[{"lr":0.1}],"seconds":3.2,"time":"2026-01-31T12:00:00.000Z"}
 */
export class JsonlLogger implements Callback {
  readonly order = 110;
  readonly watches = true;
  private readonly _file: LineFile;

  /** @param path - The file; missing folders are made. */
  constructor(path: string, options: LineFileOptions = {}) {
    this._file = new LineFile("JsonlLogger", path, options);
  }

  async beforeFit(): Promise<void> {
    await this._file.begin();
  }

  async afterEpoch(learn: Learner): Promise<void> {
    await this.line(learn);
  }

  async afterCancelEpoch(learn: Learner): Promise<void> {
    await this.line(learn);
  }

  state(): Json {
    return this._file.state();
  }

  loadState(state: Json): void {
    this._file.loadState(state);
  }

  private async line({ recorder, optimizer, epoch }: Learner): Promise<void> {
    const record = recorder.records.at(-1);
    if (record === undefined || record.epoch !== epoch) return;
    const { train, valid, seconds } = record;
    const hypers = optimizer.paramGroups.map((group) => group.hypers);
    await this._file.add(JSON.stringify({ epoch, train, valid, hypers, seconds, time: new Date().toISOString() }));
  }
}

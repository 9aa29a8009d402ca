import { ArgumentError } from "../../backend/errors.ts";
import { EventFile } from "../../io/tensorboard.ts";
import type { Callback, Json } from "../callback.ts";
import type { Learner } from "../learner.ts";
import { field } from "./monitor.ts";

/** Options of {@link TensorBoard}. */
export interface TensorBoardOptions {
  /** Training batches between two points of `batch/loss` and the hyper-parameters, from 1. Default 1. */
  readonly every?: number;
  /** Whether each epoch adds a histogram of every parameter, which reads all weights. Default false. */
  readonly histograms?: boolean;
}

/**
 * Writes TensorBoard event files: `batch/loss` and `hypers/…` over training batches; the loss and metrics of both passes,
 * such as `loss/train` and `accuracy/valid`, at the end of each epoch; histograms of the weights on request.
 *
 * The horizontal axis counts training batches, over all fits of this callback. Each fit begins a file of its own in the
 * folder; TensorBoard shows them as one run.
 *
 * @throws {@link ArgumentError} for an `every` that is no whole number from 1.
 * @see https://www.tensorflow.org/tensorboard
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const dls = DataLoaders.fromDatasets(data, data);
 * const learn = new Learner(dls, new nn.Linear(4, 2), { loss: F.crossEntropy, metrics: { accuracy } });
 * await learn.fit(2, { callbacks: [new TensorBoard("runs/first", { histograms: true })] });
 * // tensorboard --logdir runs
 */
export class TensorBoard implements Callback {
  readonly order = 110;
  readonly watches = true;
  private readonly _folder: string;
  private readonly _every: number;
  private readonly _histograms: boolean;
  private _events: EventFile | undefined;
  private _step = 0;

  constructor(folder: string, { every = 1, histograms = false }: TensorBoardOptions = {}) {
    if (!Number.isInteger(every) || every < 1) {
      throw new ArgumentError("TensorBoard", `every must be a whole number from 1, got ${every}.`);
    }
    this._folder = folder;
    this._every = every;
    this._histograms = histograms;
  }

  async beforeFit(): Promise<void> {
    this._events = await EventFile.open(this._folder);
  }

  afterBatch(learn: Learner): void {
    if (!learn.training) return;
    if (this._events !== undefined && this._step % this._every === 0) this.batch(this._events, learn);
    this._step++;
  }

  async afterEpoch(learn: Learner): Promise<void> {
    await this.epoch(learn);
  }

  async afterCancelEpoch(learn: Learner): Promise<void> {
    await this.epoch(learn);
  }

  async cleanupFit(): Promise<void> {
    const events = this._events;
    this._events = undefined;
    await events?.close();
  }

  state(): Json {
    return { step: this._step };
  }

  loadState(state: Json): void {
    this._step = Number(field(state, "step") ?? 0);
  }

  private batch(events: EventFile, { metrics, optimizer }: Learner): void {
    events.scalar("batch/loss", metrics.batchLoss, this._step);
    optimizer.paramGroups.forEach(({ hypers }, i) => {
      const group = optimizer.paramGroups.length > 1 ? `/${i}` : "";
      for (const [name, value] of Object.entries(hypers)) events.scalar(`hypers/${name}${group}`, value, this._step);
    });
  }

  private async epoch({ recorder, epoch, model }: Learner): Promise<void> {
    const events = this._events;
    const record = recorder.records.at(-1);
    if (events === undefined || record === undefined || record.epoch !== epoch) return;
    for (const pass of ["train", "valid"] as const) {
      for (const [name, value] of Object.entries(record[pass] ?? {})) {
        events.scalar(`${name}/${pass}`, value, this._step);
      }
    }
    events.scalar("seconds", record.seconds, this._step);
    if (this._histograms) {
      for (const [path, parameter] of model.namedParameters()) {
        events.histogram(`weights/${path}`, parameter.toTypedArray(), this._step);
      }
    }
    await events.flush();
  }
}

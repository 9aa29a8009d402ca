import { ArgumentError } from "../../backend/errors.ts";
import type { Json } from "../callback.ts";
import type { Learner } from "../learner.ts";
import type { EpochRecord } from "./recorder.ts";

/** The figure of an epoch a callback goes by. */
export interface MonitorOptions {
  /** Pass and name, such as `"valid.loss"` or `"train.accuracy"`, or a function of the epoch's record. Default "valid.loss". */
  readonly monitor?: string | ((record: EpochRecord) => number);
  /** Whether less or more is better. Default "min" where the name is `loss`; to be given for others. */
  readonly mode?: "min" | "max";
  /** What a figure must be better by to count as better, from 0. Default 0. */
  readonly minDelta?: number;
}

/** Follows a figure from epoch to epoch and knows the best so far; NaN is never better. */
export class Monitor {
  /** The best figure so far and its epoch; undefined before the first. */
  best: { readonly value: number; readonly epoch: number } | undefined;
  private readonly _operation: string;
  private readonly _figure: string | ((record: EpochRecord) => number);
  private readonly _sign: 1 | -1;
  private readonly _minDelta: number;
  private _seen: EpochRecord | undefined;

  /** @throws {@link ArgumentError} where it is not said what is better. */
  constructor(operation: string, { monitor = "valid.loss", mode, minDelta = 0 }: MonitorOptions) {
    this._operation = operation;
    this._figure = monitor;
    this._minDelta = minDelta;
    const isLoss = typeof monitor === "string" && monitor.split(".").at(-1) === "loss";
    if (mode === undefined && !isLoss) {
      throw new ArgumentError(
        operation,
        `say whether less or more of ${this.name} is better: { mode: "min" } or "max".`,
      );
    }
    if (!(minDelta >= 0)) throw new ArgumentError(operation, `minDelta must be a number from 0, got ${minDelta}.`);
    this._sign = mode === "max" ? -1 : 1;
  }

  /** The figure in words. */
  get name(): string {
    return typeof this._figure === "string" ? `"${this._figure}"` : "the monitored figure";
  }

  /**
   * The figure of the epoch that has just ended; undefined when no record of it was made, as during `lrFind`.
   *
   * @throws {@link ArgumentError} when its record has no such figure.
   */
  value({ recorder, epoch }: Learner): number | undefined {
    const record = recorder.records.at(-1);
    if (record === undefined || record === this._seen) return undefined;
    this._seen = record;
    if (typeof this._figure === "function") return this._figure(record);
    const [pass, ...rest] = this._figure.split(".");
    const figures = pass === "train" ? record.train : pass === "valid" ? record.valid : undefined;
    const value = figures?.[rest.join(".")];
    if (value !== undefined) return value;
    const known = [...names("train", record.train), ...names("valid", record.valid)].join(", ");
    throw new ArgumentError(this._operation, `epoch ${epoch} has no ${this.name}. It has: ${known || "nothing"}.`);
  }

  /** Takes in a figure. @returns whether it is the best so far. */
  improves(value: number, epoch: number): boolean {
    const previous = this.best?.value;
    const better = previous === undefined ? !Number.isNaN(value) : this._sign * (previous - value) > this._minDelta;
    if (better) this.best = { value, epoch };
    return better;
  }

  /** Begins anew, with what is recorded from now on. */
  reset({ recorder }: Learner): void {
    this.best = undefined;
    this._seen = recorder.records.at(-1);
  }

  /** The best as plain data. */
  state(): Json {
    return this.best === undefined ? null : { value: String(this.best.value), epoch: this.best.epoch };
  }

  loadState(state: Json | undefined): void {
    const has = typeof state === "object" && state !== null && "value" in state && "epoch" in state;
    this.best = has ? { value: Number(state.value), epoch: Number(state.epoch) } : undefined;
  }
}

/** One field of a callback's saved state. */
export function field(state: Json, name: string): Json | undefined {
  if (typeof state !== "object" || state === null || Array.isArray(state)) return undefined;
  return Object.entries(state).find(([key]) => key === name)?.[1];
}

function names(pass: string, figures: object | undefined): string[] {
  return Object.keys(figures ?? {}).map((name) => `${pass}.${name}`);
}

import { warn } from "#platform";
import type { Json } from "../io/json.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Phase } from "./cancel.ts";
import type { Learner } from "./learner.ts";

export type { Json } from "../io/json.ts";

/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

type Handler = (learn: Learner) => Awaitable<void>;
type EventName = `${"before" | "after" | "afterCancel" | "cleanup"}${Capitalize<Phase>}` | "afterPredict" | "afterLoss";

/** One optional method per event; each gets the learner and may return a promise, which is awaited. */
export type Events = { [E in EventName]?: Handler };

/**
 * Something that takes part in training: one optional method per event, called with the learner.
 *
 * For each phase X (fit, epoch, pass, batch, backward, step): `beforeX`; then `afterX` when it ended well, or `afterCancelX`
 * when it was cancelled; then `cleanupX` whatever happened, in reverse order and only where `beforeX` had its turn.
 * Inside a batch there are also `afterPredict` and `afterLoss`.
 *
 * @see fastai's callbacks; nntrain's subscribers.
 * @example
 * const shout: Callback = { afterEpoch: (learn) => console.error(`epoch ${learn.epoch} done`) };
 */
export interface Callback extends Events {
  /** Callbacks run by ascending order, equal ones as they were added. Default 0. */
  readonly order?: number;
  /** For error messages. Default the class name. */
  readonly name?: string;
  /** Whether it only watches, as recorders and loggers do: such callbacks rest during `lrFind`. Default false. */
  readonly watches?: boolean;
  /** What a checkpoint must keep of this callback. */
  state?(): Json;
  /** Takes over what {@link state} gave. */
  loadState?(state: Json): void;
  /** Tensors a checkpoint must keep of this callback, by name. */
  stateTensors?(): ReadonlyMap<string, Tensor>;
  /** Takes over what {@link stateTensors} gave, after `loadState`. */
  loadStateTensors?(tensors: ReadonlyMap<string, Tensor>): void;
}

/** The name of an event. */
export type Event = keyof Events;

const capital = (phase: string): string => phase[0].toUpperCase() + phase.slice(1);

/** All event names. */
export const events: readonly string[] = [
  ...["fit", "epoch", "pass", "batch", "backward", "step"].flatMap((phase) =>
    ["before", "after", "afterCancel", "cleanup"].map((when) => when + capital(phase)),
  ),
  "afterPredict",
  "afterLoss",
];

/** A callback's name for messages. */
export function callbackName(callback: Callback): string {
  const className = callback.constructor.name;
  return callback.name ?? (className === "Object" ? "a callback" : className);
}

/** Warns about methods that look like an event but are none, such as `afterBatchs`. */
export function warnNearMisses(callback: Callback): void {
  for (const method of methodNames(callback)) {
    if (events.includes(method) || !/^(before|after|cleanup|begin|on)[A-Z_]/.test(method)) continue;
    const nearest = events.find((event) => distance(event.toLowerCase(), method.toLowerCase()) <= 2);
    if (nearest !== undefined) {
      warn(
        `kindling: ${callbackName(callback)} has a method "${method}", which is no event. Did you mean "${nearest}"?`,
      );
    }
  }
}

function methodNames(callback: object): Set<string> {
  const names = new Set<string>();
  for (
    let level: object | null = callback;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(level))) {
      if (typeof property.value === "function") names.add(name);
    }
  }
  return names;
}

/** Levenshtein's edit distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}

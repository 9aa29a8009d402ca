import { warn } from "#platform";
import { ArgumentError } from "../backend/errors.ts";
import { type Awaitable, type Callback, callbackName, type Event } from "./callback.ts";
import { Cancel, type Phase, phases } from "./cancel.ts";
import type { Learner } from "./learner.ts";
import type { Steps } from "./steps.ts";

/** Where in a fit an error arose. */
export interface TrainingContext {
  readonly event: Event | Phase;
  /** The callback that raised it; undefined when the loop itself did. */
  readonly callback: string | undefined;
  readonly epoch: number;
  readonly pass: "training" | "validation";
  readonly iteration: number;
}

interface Entry {
  readonly position: number;
  readonly callback: Callback;
  readonly method: NonNullable<Callback[Event]>;
}

interface Failure {
  readonly error: unknown;
}

const names = {
  fit: { before: "beforeFit", after: "afterFit", afterCancel: "afterCancelFit", cleanup: "cleanupFit" },
  epoch: { before: "beforeEpoch", after: "afterEpoch", afterCancel: "afterCancelEpoch", cleanup: "cleanupEpoch" },
  pass: { before: "beforePass", after: "afterPass", afterCancel: "afterCancelPass", cleanup: "cleanupPass" },
  batch: { before: "beforeBatch", after: "afterBatch", afterCancel: "afterCancelBatch", cleanup: "cleanupBatch" },
  backward: {
    before: "beforeBackward",
    after: "afterBackward",
    afterCancel: "afterCancelBackward",
    cleanup: "cleanupBackward",
  },
  step: { before: "beforeStep", after: "afterStep", afterCancel: "afterCancelStep", cleanup: "cleanupStep" },
} as const;

const contexts = new WeakMap<object, TrainingContext>();

/** Where in a fit an error or a cancel arose, for those that came out of one. */
export function trainingContext(error: unknown): TrainingContext | undefined {
  return typeof error === "object" && error !== null ? contexts.get(error) : undefined;
}

/**
 * Publishes events to a fixed list of callbacks, sorted by order and then as they were added, and runs phases.
 * A list that is changed during a phase takes effect with the next one.
 */
export class Dispatcher {
  private readonly _learn: Learner;
  private readonly _callbacks: readonly Callback[];
  private readonly _entries = new Map<Event, readonly Entry[]>();
  /** The phases that are running, which can be cancelled; dispatchers that follow each other in a fit share it. */
  private readonly _active: Set<Phase>;

  /** @param skipped - Events that are not published. */
  constructor(learn: Learner, callbacks: readonly Callback[], previous?: Dispatcher, skipped: readonly Event[] = []) {
    this._learn = learn;
    this._callbacks = [...callbacks].sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
    this._active = previous?._active ?? new Set();
    for (const event of skipped) this._entries.set(event, []);
  }

  /** Calls one method of every callback in turn; a promise comes back only when one of them gave one. */
  publish(event: Event): Awaitable<void> {
    return this.run(event, this.entriesOf(event), 0, undefined);
  }

  /**
   * Runs one phase: before, body, after or afterCancel, cleanup.
   *
   * A cancel of this phase ends its body; raised once the body has ended there is nothing left to cancel, and it is
   * ignored. Other cancels and real errors pass through after the cleanup, which never hides them.
   *
   * @returns whether the body ran to its end.
   */
  *phase(phase: Phase, body: () => Steps<void> | Awaitable<void>): Steps<boolean> {
    const event = names[phase];
    const reached = { count: 0 };
    const isInner = this._active.has(phase);
    this._active.add(phase);
    let finished = false;
    let failure: Failure | undefined;
    try {
      try {
        const before = this.run(event.before, this.entriesOf(event.before), 0, undefined, reached);
        if (before !== undefined) yield before;
        reached.count = this._callbacks.length;
        const running = body();
        if (running instanceof Promise) yield running;
        else if (running !== undefined) yield* running;
        finished = true;
      } catch (error) {
        if (!(error instanceof Cancel && error.phase === phase)) throw this.located(error, phase, undefined);
        if (phase === "fit") this._learn.stopReason = reasonOf(error);
        const cancelled = this.run(event.afterCancel, this.reachedBy(event.afterCancel, reached.count), 0, phase);
        if (cancelled !== undefined) yield cancelled;
      }
      if (finished) {
        const after = this.run(event.after, this.entriesOf(event.after), 0, phase);
        if (after !== undefined) yield after;
      }
    } catch (error) {
      failure = { error };
    }
    const cleaning = this.reachedBy(event.cleanup, reached.count);
    if (cleaning.length > 0) failure = yield* this.cleanUp(event.cleanup, cleaning, phase, failure);
    if (!isInner) this._active.delete(phase);
    if (failure !== undefined) throw failure.error;
    return finished;
  }

  private run(
    event: Event,
    entries: readonly Entry[],
    from: number,
    over: Phase | undefined,
    reached?: { count: number },
  ): Awaitable<void> {
    for (let i = from; i < entries.length; i++) {
      if (reached !== undefined) reached.count = entries[i].position + 1;
      const pending = this.call(event, entries[i], over);
      if (pending !== undefined) return pending.then(() => this.run(event, entries, i + 1, over, reached));
    }
  }

  /** One method of one callback; `over` names a phase that has ended, whose cancels no longer mean anything. */
  private call(event: Event, { callback, method }: Entry, over: Phase | undefined): Promise<void> | undefined {
    try {
      const result = method.call(callback, this._learn);
      return result instanceof Promise ? result.catch((error) => this.fail(error, event, callback, over)) : undefined;
    } catch (error) {
      this.fail(error, event, callback, over);
      return undefined;
    }
  }

  private fail(error: unknown, event: Event, callback: Callback, over: Phase | undefined): void {
    if (!(error instanceof Cancel && error.phase === over)) throw this.located(error, event, callback);
  }

  /** Everyone's cleanup in reverse order; of several failures the weightiest is kept, the others are reported. */
  private *cleanUp(
    event: Event,
    entries: readonly Entry[],
    phase: Phase,
    failure: Failure | undefined,
  ): Steps<Failure | undefined> {
    let kept = failure;
    for (let i = entries.length - 1; i >= 0; i--) {
      try {
        const pending = this.call(event, entries[i], phase);
        if (pending !== undefined) yield pending;
      } catch (error) {
        const lost = kept === undefined || weight(error) > weight(kept.error) ? kept : { error };
        if (lost !== undefined && !(lost.error instanceof Cancel)) {
          warn(`kindling: ${callbackName(entries[i].callback)} failed in ${event}: ${String(lost.error)}`);
        }
        if (lost === kept) kept = { error };
      }
    }
    return kept;
  }

  private entriesOf(event: Event): readonly Entry[] {
    let entries = this._entries.get(event);
    if (entries === undefined) {
      entries = this._callbacks.flatMap((callback, position) => {
        const method = callback[event];
        return typeof method === "function" ? [{ callback, position, method }] : [];
      });
      this._entries.set(event, entries);
    }
    return entries;
  }

  private reachedBy(event: Event, count: number): readonly Entry[] {
    const entries = this.entriesOf(event);
    return count >= this._callbacks.length ? entries : entries.filter(({ position }) => position < count);
  }

  /** Notes where an error or a cancel arose, on its first way out; a cancel of a phase that is not running becomes an error. */
  private located(error: unknown, event: Event | Phase, callback: Callback | undefined): unknown {
    const isMisplaced = error instanceof Cancel && !this._active.has(error.phase);
    if (typeof error !== "object" || error === null || (contexts.has(error) && !isMisplaced)) return error;
    const { epoch, training, iteration } = this._learn;
    const name = callback === undefined ? undefined : callbackName(callback);
    const where = name === undefined ? `the ${event} phase` : `${event} of ${name}`;
    const found = isMisplaced ? misplaced(error, where) : error;
    const pass = training ? "training" : "validation";
    contexts.set(found, { event, callback: name, epoch, pass, iteration });
    if (found instanceof Error && !(found instanceof Cancel)) {
      appendToStack(found, `in ${where} (epoch ${epoch}, ${pass}, iteration ${iteration})`);
    }
    return found;
  }
}

function misplaced(cancel: Cancel, where: string): ArgumentError {
  const { name, phase } = cancel;
  const problem = `raised in ${where}, where no ${phase} phase is running`;
  return new ArgumentError(name, `${problem}. Raise it between the ${phase}'s before and after events.`, {
    cause: cancel,
  });
}

/** How much must not get lost: real errors before cancels, cancels of outer phases before those of inner ones. */
function weight(error: unknown): number {
  return error instanceof Cancel ? -phases.indexOf(error.phase) : 1;
}

function reasonOf(cancel: Cancel): string {
  if (cancel.reason !== undefined) return cancel.reason;
  const context = contexts.get(cancel);
  return context?.callback === undefined ? "cancelled" : `cancelled in ${context.event} of ${context.callback}`;
}

function appendToStack(error: Error, line: string): void {
  try {
    error.stack = `${error.stack}\n    ${line}`;
  } catch {
    // a frozen error says where it arose through trainingContext only
  }
}

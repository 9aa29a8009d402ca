import { warn } from "#platform";
import { type Awaitable, type Callback, callbackName, type Event } from "./callback.ts";
import { Cancel, type Phase } from "./cancel.ts";
import type { Learner } from "./learner.ts";

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

/** Where in a fit an error arose, for errors that came out of one. */
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

  constructor(learn: Learner, callbacks: readonly Callback[]) {
    this._learn = learn;
    this._callbacks = [...callbacks].sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
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
  async runPhase(phase: Phase, body: () => Awaitable<void>): Promise<boolean> {
    const event = names[phase];
    const reached = { count: 0 };
    let finished = false;
    let failure: { readonly error: unknown } | undefined;
    try {
      try {
        const before = this.run(event.before, this.entriesOf(event.before), 0, undefined, reached);
        if (before !== undefined) await before;
        reached.count = this._callbacks.length;
        const running = body();
        if (running !== undefined) await running;
        finished = true;
      } catch (error) {
        if (!(error instanceof Cancel && error.phase === phase)) throw this.located(error, phase, undefined);
        await this.run(event.afterCancel, this.reachedBy(event.afterCancel, reached.count), 0, phase);
      }
      if (finished) {
        const after = this.run(event.after, this.entriesOf(event.after), 0, phase);
        if (after !== undefined) await after;
      }
    } catch (error) {
      failure = { error };
    }
    const cleaning = this.reachedBy(event.cleanup, reached.count);
    if (cleaning.length > 0) failure = await this.cleanUp(event.cleanup, cleaning, phase, failure);
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
      const { callback, position } = entries[i];
      if (reached !== undefined) reached.count = position + 1;
      const pending = this.call(event, callback, over);
      if (pending !== undefined) return pending.then(() => this.run(event, entries, i + 1, over, reached));
    }
  }

  /** One method of one callback; `over` names a phase that has ended, whose cancels no longer mean anything. */
  private call(event: Event, callback: Callback, over: Phase | undefined): Promise<void> | undefined {
    const fail = (error: unknown): void => {
      if (error instanceof Cancel && error.phase === over) return;
      throw this.located(error, event, callback);
    };
    try {
      const result = callback[event]?.(this._learn);
      return result instanceof Promise ? result.catch(fail) : undefined;
    } catch (error) {
      fail(error);
      return undefined;
    }
  }

  /** Everyone's cleanup in reverse order; the first failure is kept, later ones are reported. */
  private async cleanUp(
    event: Event,
    entries: readonly Entry[],
    phase: Phase,
    failure: { readonly error: unknown } | undefined,
  ): Promise<{ readonly error: unknown } | undefined> {
    let first = failure;
    for (const { callback } of [...entries].reverse()) {
      try {
        await this.call(event, callback, phase);
      } catch (error) {
        if (first === undefined) first = { error };
        else warn(`kindling: ${callbackName(callback)} failed in ${event}: ${String(error)}`);
      }
    }
    return first;
  }

  private entriesOf(event: Event): readonly Entry[] {
    let entries = this._entries.get(event);
    if (entries === undefined) {
      entries = this._callbacks.flatMap((callback, position) =>
        typeof callback[event] === "function" ? [{ callback, position }] : [],
      );
      this._entries.set(event, entries);
    }
    return entries;
  }

  private reachedBy(event: Event, count: number): readonly Entry[] {
    const entries = this.entriesOf(event);
    return count >= this._callbacks.length ? entries : entries.filter(({ position }) => position < count);
  }

  /** Notes where a real error arose, on its first way out. */
  private located(error: unknown, event: Event | Phase, callback: Callback | undefined): unknown {
    if (error instanceof Cancel || typeof error !== "object" || error === null || contexts.has(error)) return error;
    const { epoch, training, iteration } = this._learn;
    const name = callback === undefined ? undefined : callbackName(callback);
    const pass = training ? "training" : "validation";
    contexts.set(error, { event, callback: name, epoch, pass, iteration });
    if (error instanceof Error && error.stack !== undefined) {
      const where = name === undefined ? `the ${event} phase` : `${event} of ${name}`;
      error.stack += `\n    in ${where} (epoch ${epoch}, ${pass}, iteration ${iteration})`;
    }
    return error;
  }
}

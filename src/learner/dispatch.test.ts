import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { tiny } from "../../test/training/tiny.ts";
import {
  ArgumentError,
  type Callback,
  Cancel,
  CancelBackward,
  CancelBatch,
  CancelEpoch,
  CancelFit,
  CancelPass,
  CancelStep,
  type Event,
  type Phase,
  trainingContext,
} from "../index.ts";
import { events } from "./callback.ts";

const cancels = {
  fit: CancelFit,
  epoch: CancelEpoch,
  pass: CancelPass,
  batch: CancelBatch,
  backward: CancelBackward,
  step: CancelStep,
} as const;
const phaseNames: readonly Phase[] = ["fit", "epoch", "pass", "batch", "backward", "step"];
const parents: Record<Phase, Phase | undefined> = {
  fit: undefined,
  epoch: "fit",
  pass: "epoch",
  batch: "pass",
  backward: "batch",
  step: "batch",
};

interface Fault {
  readonly callback: number;
  readonly event: string;
  /** In which call of the event, from 1. */
  readonly call: number;
  readonly kind: Phase | "error";
}

interface Plan {
  readonly orders: readonly number[];
  readonly faults: readonly Fault[];
  /** Callbacks whose events all give promises. */
  readonly asynchronous: readonly boolean[];
}

const plans: fc.Arbitrary<Plan> = fc.integer({ min: 1, max: 4 }).chain((count) =>
  fc.record({
    orders: fc.array(fc.integer({ min: -30, max: 60 }), { minLength: count, maxLength: count }),
    asynchronous: fc.array(fc.boolean(), { minLength: count, maxLength: count }),
    faults: fc.array(
      fc.record({
        callback: fc.integer({ min: 0, max: count - 1 }),
        event: fc.constantFrom(...events),
        call: fc.integer({ min: 1, max: 3 }),
        kind: fc.constantFrom(...phaseNames, "error" as const),
      }),
      { maxLength: 5 },
    ),
  }),
);

/** One run of one phase, from its first `before` to its last `cleanup`. */
interface Instance {
  readonly opened: number[];
  readonly closed: number[];
  readonly ends: Set<string>;
}

/** Callbacks that follow a plan and check the rules as they go. */
class Witness {
  readonly plan: Plan;
  readonly stacks: Phase[][];
  readonly order: readonly number[];
  /** The first real error that was raised, or the cancel that no phase could catch. */
  first: unknown;
  log: string[] = [];
  private readonly _open = new Map<Phase, Instance>();
  private readonly _calls = new Map<string, number>();
  private _busy = false;
  private _broken: unknown;

  constructor(plan: Plan) {
    this.plan = plan;
    this.stacks = plan.orders.map(() => []);
    this.order = plan.orders.map((_, i) => i).sort((a, b) => plan.orders[a] - plan.orders[b] || a - b);
  }

  callbacks(): Callback[] {
    return this.plan.orders.map((order, i) => ({
      order,
      ...Object.fromEntries(
        events.map((event) => [event, () => (this.plan.asynchronous[i] ? this.later(i, event) : this.take(i, event))]),
      ),
    }));
  }

  private async later(i: number, event: string): Promise<void> {
    this.enter();
    await Promise.resolve();
    this._busy = false;
    this.take(i, event);
  }

  private enter(): void {
    if (this._busy) this._broken ??= new Error("two events at once");
    this._busy = true;
  }

  private take(i: number, event: string): void {
    this.enter();
    this._busy = false;
    this.log.push(`${i} ${event}`);
    const [, when, name] = /^(before|afterCancel|after|cleanup)(.+)$/.exec(event) ?? [];
    const phase = phaseNames.find((one) => one === name.toLowerCase());
    const stack = this.stacks[i];
    try {
      if (phase === undefined) expect(stack.at(-1), `${event} belongs in a batch`).toBe("batch");
      else if (when === "before") this.open(i, phase, stack);
      else this.end(i, phase, when, stack);
    } catch (error) {
      this._broken ??= error;
    }
    try {
      this.raise(i, event, phase, when, stack);
    } finally {
      if (when === "cleanup") stack.pop();
    }
  }

  private open(i: number, phase: Phase, stack: Phase[]): void {
    expect(stack.at(-1), `${phase} opens within`).toBe(parents[phase]);
    stack.push(phase);
    const instance = this._open.get(phase) ?? { opened: [], closed: [], ends: new Set() };
    this._open.set(phase, instance);
    expect(instance.closed, "before after cleanup").toEqual([]);
    instance.opened.push(i);
    expect(instance.opened, "ascending order").toEqual(this.order.slice(0, instance.opened.length));
  }

  private end(i: number, phase: Phase, when: string, stack: readonly Phase[]): void {
    expect(stack.at(-1), `${when} of ${phase}`).toBe(phase);
    const instance = this._open.get(phase);
    if (instance === undefined) throw new Error(`${when} of ${phase}, which is not open`);
    expect(instance.opened, "only those that had their turn").toContain(i);
    if (when !== "cleanup") {
      expect(instance.closed, "after cleanup").toEqual([]);
      instance.ends.add(when);
      expect(instance.ends.size, "after and afterCancel").toBe(1);
      return;
    }
    instance.closed.push(i);
    const reversed = instance.opened.toReversed();
    expect(instance.closed, "reverse order").toEqual(reversed.slice(0, instance.closed.length));
    if (instance.closed.length === instance.opened.length) this._open.delete(phase);
  }

  private raise(i: number, event: string, phase: Phase | undefined, when: string, stack: readonly Phase[]): void {
    const key = `${i} ${event}`;
    const call = (this._calls.get(key) ?? 0) + 1;
    this._calls.set(key, call);
    const fault = this.plan.faults.find((one) => one.callback === i && one.event === event && one.call === call);
    if (fault === undefined) return;
    if (fault.kind === "error") {
      const error = new Error(`planned in ${key}`);
      this.first ??= error;
      throw error;
    }
    const cancel = new cancels[fault.kind]();
    // The loop's own phase still counts in its last events, where there is nothing left to cancel.
    const isOver = when !== "before" && fault.kind === phase;
    if (!isOver && !stack.includes(fault.kind)) this.first ??= cancel;
    throw cancel;
  }

  /** No rule was broken on the way, and every phase that was opened has been closed. */
  finish(): void {
    if (this._broken !== undefined) throw this._broken;
    expect([...this._open.keys()]).toEqual([]);
    for (const stack of this.stacks) expect(stack).toEqual([]);
  }
}

/**
 * The nesting rules, for whatever callbacks raise:
 * 1. phases open and close like brackets: fit ⊃ epoch ⊃ pass ⊃ batch ⊃ backward, step; afterPredict and afterLoss in a batch;
 * 2. beforeX runs in ascending order; cleanupX once for each callback whose beforeX had its turn, for no other, in reverse;
 * 3. in between comes afterX or afterCancelX or neither, never both;
 * 4. one event at a time, also where events give promises;
 * 5. the first real error comes out of fit, and nothing hides it; a cancel that no running phase takes is such an error;
 * 6. afterwards the learner works as if nothing had happened.
 */
describe("whatever callbacks raise", () => {
  it("the nesting rules hold", { timeout: 120_000 }, async () => {
    const clean = new Witness({ orders: [0], asynchronous: [false], faults: [] });
    await tiny().fit(2, { callbacks: clean.callbacks() });
    const raised = { errors: 0, cancels: 0 };
    await fc.assert(
      fc.asyncProperty(plans, async (plan) => {
        const learn = tiny();
        const witness = new Witness(plan);
        let error: unknown;
        try {
          await learn.fit(2, { callbacks: witness.callbacks() });
        } catch (caught) {
          error = caught;
        }
        witness.finish();
        if (witness.first instanceof Cancel) {
          raised.cancels++;
          expect(error).toBeInstanceOf(ArgumentError);
          expect(error).toMatchObject({ cause: witness.first });
        } else {
          if (witness.first !== undefined) raised.errors++;
          expect(error).toBe(witness.first);
        }
        expect(learn.running).toBe(false);
        expect(learn.training).toBe(false);
        expect(learn.callbacks.length).toBe(tiny().callbacks.length);
        const after = new Witness({ orders: [0], asynchronous: [false], faults: [] });
        await learn.fit(2, { callbacks: after.callbacks() });
        expect(after.log).toEqual(clean.log);
      }),
      { numRuns: 150, seed: 5 },
    );
    expect(raised.errors).toBeGreaterThan(10);
    expect(raised.cancels).toBeGreaterThan(10);
  });
});

describe("errors", () => {
  it("say where they arose, once", async () => {
    class Broken implements Callback {
      afterLoss(): void {
        throw new RangeError("too much");
      }
    }
    const error = await tiny()
      .fit(2, { callbacks: [new Broken()] })
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: "too much" });
    expect(trainingContext(error)).toEqual({
      event: "afterLoss",
      callback: "Broken",
      epoch: 0,
      pass: "training",
      iteration: 0,
    });
    expect(String(error instanceof Error && error.stack)).toMatch(
      /in afterLoss of Broken \(epoch 0, training, iteration 0\)$/,
    );
  });

  it("of the loop name the phase", async () => {
    const learn = tiny({
      loss: () => {
        throw new Error("no loss");
      },
    });
    const error = await learn.fit(1).catch((caught: unknown) => caught);
    expect(trainingContext(error)).toMatchObject({ event: "batch", callback: undefined });
  });

  it("that are frozen or no objects pass through", async () => {
    for (const thrown of [Object.freeze(new Error("ice")), "a string", undefined]) {
      const callback: Callback = {
        afterPredict: () => {
          throw thrown;
        },
      };
      const caught = await tiny()
        .fit(1, { callbacks: [callback] })
        .then(
          () => "nothing",
          (error: unknown) => ({ error }),
        );
      expect(caught).toEqual({ error: thrown });
    }
  });

  it("in a cleanup are not hidden by a cancel", async () => {
    const callback: Callback = {
      beforeBatch: () => {
        throw new CancelFit();
      },
      cleanupBatch: () => {
        throw new Error("could not clean up");
      },
    };
    await expect(tiny().fit(1, { callbacks: [callback] })).rejects.toThrow("could not clean up");
  });

  it("of cancels at the wrong level say which phase is not running", async () => {
    const at = (event: Event, cancel: Cancel): Promise<void> =>
      tiny().fit(1, {
        callbacks: [
          {
            name: "Stray",
            [event]: () => {
              throw cancel;
            },
          },
        ],
      });
    await expect(at("beforeEpoch", new CancelBatch())).rejects.toThrow(
      "CancelBatch: raised in beforeEpoch of Stray, where no batch phase is running.",
    );
    await expect(at("beforeFit", new CancelEpoch())).rejects.toThrow(/no epoch phase is running/);
    await expect(at("afterLoss", new CancelStep())).rejects.toThrow(/no step phase is running/);
    await expect(at("cleanupFit", new CancelPass())).rejects.toThrow(/no pass phase is running/);
    await at("afterBatch", new CancelBatch()); // nothing is left to cancel
    await at("afterFit", new CancelFit());
  });
});

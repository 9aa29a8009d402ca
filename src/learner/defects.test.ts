import { describe, expect, it } from "vitest";
import { expectSame } from "../../test/close.ts";
import { noting, tiny } from "../../test/training/tiny.ts";
import {
  ArgumentError,
  accuracy,
  type Callback,
  CancelBatch,
  CancelEpoch,
  CancelFit,
  CancelStep,
  DataLoaders,
  F,
  Learner,
  manualSeed,
  nn,
  optim,
  randint,
  randn,
  type Tensor,
  TensorDataset,
} from "../index.ts";
import { events } from "./callback.ts";

const weights = (learn: Learner): unknown => learn.model.parameters().map((p) => p.toArray());

/** Raises something in an event. */
const raising = (event: string, error: unknown): Callback => ({
  [event]: () => {
    throw error;
  },
});

// The defects of the forebears, numbered as in the project's comparison of training loops.
describe("defects that must not come back", () => {
  it("1: every event that happens is delivered", async () => {
    const log: string[] = [];
    const all = noting(log, events as (keyof Callback)[]);
    await tiny().fit(1, { callbacks: [all] });
    const undelivered = events.filter((event) => !event.startsWith("afterCancel") && !log.includes(event));
    expect(undelivered).toEqual([]);
    for (const Cancel of [CancelFit, CancelEpoch, CancelBatch, CancelStep]) {
      const cancel = new Cancel();
      const name = cancel.phase[0].toUpperCase() + cancel.phase.slice(1);
      await tiny().fit(1, { callbacks: [all, raising(`before${name}`, cancel)] });
      expect(log).toContain(`afterCancel${name}`);
    }
  });

  it("2: hooks are taken off in cleanupFit, also after a cancel or an error", async () => {
    for (const [event, error] of [
      ["afterBatch", new CancelFit()],
      ["afterLoss", new Error("broken")],
    ] as const) {
      const learn = tiny();
      let seen = 0;
      let remove = (): void => {};
      const hooking: Callback = {
        beforeFit: ({ model }) => {
          const handle = model.registerForwardHook(() => void seen++);
          remove = () => handle.remove();
        },
        cleanupFit: () => remove(),
      };
      await learn.fit(1, { callbacks: [hooking, raising(event, error)] }).catch(() => undefined);
      expect(seen).toBe(1);
      await learn.fit(1);
      expect(seen).toBe(1);
    }
  });

  it("3: a cancel at the wrong level is an error that says so", async () => {
    for (const [event, cancel] of [
      ["beforeEpoch", new CancelBatch()],
      ["beforeFit", new CancelEpoch()],
      ["afterPass", new CancelBatch()],
    ] as const) {
      const fit = tiny().fit(1, { callbacks: [raising(event, cancel)] });
      await expect(fit).rejects.toThrow(ArgumentError);
      await expect(fit).rejects.toThrow(`raised in ${event}`);
    }
    await tiny().fit(1, { callbacks: [raising("beforeEpoch", new CancelEpoch())] });
    await tiny().fit(1, { callbacks: [raising("afterEpoch", new CancelEpoch())] });
    await tiny().fit(1, { callbacks: [raising("afterBatch", new CancelBatch())] });
  });

  it("4 and 5: what a callback returns hides nothing from the others", async () => {
    for (const result of [true, false, undefined, 0]) {
      const log: string[] = [];
      const returning = Object.fromEntries(events.map((event) => [event, () => result]));
      const learn = tiny();
      const before = weights(learn);
      await learn.fit(1, { callbacks: [{ ...returning, order: -100 }, noting(log, ["afterLoss", "afterFit"])] });
      expect(log.filter((event) => event === "afterLoss").length).toBe(3 + 2); // validation losses too
      expect(log.at(-1)).toBe("afterFit");
      expect(weights(learn)).not.toEqual(before);
    }
  });

  it("6: a skipped step is skipped: weights, momentum and step count stay", async () => {
    const learn = tiny({ optimizer: (params, { lr }) => optim.sgd(params, { lr, momentum: 0.9, weightDecay: 0.1 }) });
    await learn.fit(1);
    const before = [weights(learn), [...learn.optimizer.stateDict().tensors.values()].map((x) => x.toArray())];
    const { steps } = learn.optimizer.stateDict();
    await learn.fit(1, { callbacks: [raising("beforeStep", new CancelStep())] });
    const after = learn.optimizer.stateDict();
    expect([weights(learn), [...after.tensors.values()].map((x) => x.toArray())]).toEqual(before);
    expect(after.steps).toEqual(steps);
  });

  it("7: lists of callbacks are copied; a fit may be given the learner's own", async () => {
    const own: Callback[] = [{ beforeFit: () => {} }];
    const [one, other] = [tiny({ callbacks: own }), tiny({ callbacks: own })];
    one.addCallback({ afterFit: () => {} });
    expect([own.length, one.callbacks.length - other.callbacks.length]).toEqual([1, 1]);
    const temporary: Callback[] = [{ afterBatch: () => void temporary.push({}) }];
    await one.fit(1, { callbacks: temporary });
    const count = one.callbacks.length;
    await one.fit(1, { callbacks: one.callbacks });
    expect(one.callbacks.length).toBe(count);
  });

  it("7: removing takes the very callback, not an equal one", () => {
    const make = (): Callback => ({ beforeFit: () => {} });
    const [first, second] = [make(), make()];
    const learn = tiny({ callbacks: [first, second] });
    learn.removeCallback(second);
    expect(learn.callbacks).toContain(first);
    expect(learn.callbacks).not.toContain(second);
  });

  it("8: temporary callbacks are gone whatever fails, the optimizer's constructor too", async () => {
    const failing = tiny({
      optimizer: () => {
        throw new Error("no optimizer");
      },
    });
    const before = failing.callbacks.length;
    await expect(failing.fit(1, { callbacks: [{}] })).rejects.toThrow("no optimizer");
    expect([failing.callbacks.length, failing.running]).toEqual([before, false]);
    const learn = tiny();
    await expect(learn.fit(1, { callbacks: [{}, raising("beforeFit", new Error("early"))] })).rejects.toThrow("early");
    expect(learn.callbacks.length).toBe(before);
    await expect(learn.fit(-1)).rejects.toThrow(ArgumentError);
    await learn.fit(1);
  });

  it("9: cancels are recognised by what they are, subclasses included", async () => {
    class Enough extends CancelFit {}
    const learn = tiny();
    await learn.fit(2, { callbacks: [raising("afterBatch", new Enough("that will do"))] });
    expect([learn.steps, learn.stopReason]).toEqual([1, "that will do"]);
  });

  it("10: several callbacks of one class work side by side", async () => {
    class Count implements Callback {
      batches = 0;
      afterBatch(): void {
        this.batches++;
      }
    }
    const [one, other] = [new Count(), new Count()];
    await tiny().fit(1, { callbacks: [one, other] });
    expect([one.batches, other.batches]).toEqual([5, 5]);
  });

  it("11: each of predict, loss, backward, step runs once a batch, in a subclass too", async () => {
    const calls = { predict: 0, getLoss: 0, backward: 0, step: 0, zeroGrad: 0 };
    class Counting extends Learner {
      override predict(): Tensor {
        calls.predict++;
        return super.predict();
      }
      override getLoss(): Tensor {
        calls.getLoss++;
        return super.getLoss();
      }
      override backward(): void {
        calls.backward++;
        super.backward();
      }
      override step(): void {
        calls.step++;
        super.step();
      }
      override zeroGrad(): void {
        calls.zeroGrad++;
        super.zeroGrad();
      }
    }
    await tiny({}, Counting).fit(1);
    expect(calls).toEqual({ predict: 5, getLoss: 5, backward: 3, step: 3, zeroGrad: 3 });
  });

  it("12: a fit of no epochs divides by nothing and is over at once", async () => {
    const log: string[] = [];
    await tiny().fit(0, { callbacks: [noting(log, ["beforeFit", "beforeEpoch", "afterFit"])] });
    expect(log).toEqual(["beforeFit", "afterFit"]);
  });

  it("13: cleanup comes only to those whose before had its turn", async () => {
    const log: string[] = [];
    const swap = (label: string): Callback => noting(log, ["beforeFit", "cleanupFit"], label);
    await expect(
      tiny().fit(1, { callbacks: [swap("a "), raising("beforeFit", new Error("no")), swap("b ")] }),
    ).rejects.toThrow("no");
    expect(log).toEqual(["a beforeFit", "a cleanupFit"]);
  });

  it("14: the learning rate given is the one used", async () => {
    const [slow, fast] = [tiny({ lr: 0.1 }), tiny({ lr: 0.1 })];
    const start = slow.model.parameters().map((p) => p.detach().clone());
    const one = { valid: false, callbacks: [raising("afterBatch", new CancelFit())] };
    await slow.fit(1, one);
    await fast.fit(1, { ...one, lr: 0.3 });
    fast.model.parameters().forEach((p, i) => {
      const [far, near] = [p.detach().sub(start[i]), slow.model.parameters()[i].detach().sub(start[i])];
      expect(far.sub(near.mul(3)).abs().max().item()).toBeLessThan(1e-6);
    });
  });

  it("15: means weigh batches by their items", async () => {
    const learn = tiny({ valid: 5, metrics: { accuracy } });
    const figures = await learn.validate();
    const { preds, targets } = await learn.getPreds();
    expect(figures["accuracy"]).toBeCloseTo(accuracy(preds, targets ?? preds), 6);
    expect(figures["loss"]).toBeCloseTo(F.crossEntropy(preds, targets ?? preds).item(), 6);
  });

  it("20: a hyper-parameter nobody knows is an error", async () => {
    const learn = tiny({ optimizer: (params, { lr }) => optim.adam(params, { lr, ...{ sqrMom: 0.9 } }) });
    await expect(learn.fit(1)).rejects.toThrow(/unknown hyper-parameter "sqrMom". Known: /);
  });

  it("24: an optimizer's state is its own: a new one starts anew, and the learner keeps its own from fit to fit", async () => {
    const adam = { optimizer: (params: optim.Params, { lr }: { lr: number }) => optim.adam(params, { lr }) };
    const learn = tiny(adam);
    await learn.fit(1);
    const kept = learn.optimizer;
    await learn.fit(1);
    expect(learn.optimizer).toBe(kept);
    expect(kept.stateDict().steps).toEqual([6, 6]);
    learn.resetOptimizer();
    expect(learn.optimizer.stateDict().steps).toEqual([0, 0]);
    const fresh = tiny(adam);
    fresh.model.loadStateDict(learn.model.stateDict());
    for (const one of [learn, fresh]) one.dls.train.setState({ seed: 1, epoch: 0, position: 0 });
    await learn.fit(1);
    await fresh.fit(1);
    learn.model.parameters().forEach((p, i) => {
      expectSame(p.detach(), fresh.model.parameters()[i].detach());
    });
  });

  it("24: another model gets another optimizer", async () => {
    const learn = tiny();
    await learn.fit(1);
    learn.model = new nn.Linear(2, 2);
    const before = weights(learn);
    await learn.fit(1);
    expect(weights(learn)).not.toEqual(before);
  });

  it("25: momentum by retained gradients: frozen parameters do no harm, and a fit begins without gradients", async () => {
    class MomentumLearner extends Learner {
      override zeroGrad(): void {
        for (const p of this.model.parameters()) if (p.grad !== undefined) p.grad = p.grad.mul(0.9);
      }
    }
    const learn = tiny({}, MomentumLearner);
    const [weight, bias] = learn.model.parameters();
    bias.requiresGrad = false;
    const frozen = bias.toArray();
    await learn.fit(1);
    expect(weight.grad).toBeDefined();
    const atStart: (Tensor | undefined)[] = [];
    await learn.fit(1, { callbacks: [{ beforeFit: () => void atStart.push(weight.grad) }] });
    expect(atStart).toEqual([undefined]);
    expect(bias.toArray()).toEqual(frozen);
  });

  it("18 and 21: a loss that is not finite ends the fit before the weights change", async () => {
    manualSeed(1);
    const x = randn([8, 2]);
    const data = new TensorDataset(x.div(x.sub(x)), randint(0, 2, [8]));
    const dls = DataLoaders.fromDatasets(data, data, { batchSize: 4 });
    const learn = new Learner(dls, new nn.Linear(2, 2), { loss: F.crossEntropy, progress: false });
    const before = weights(learn);
    await learn.fit(3);
    expect(learn.stopReason).toMatch(/^the loss is NaN at epoch 0, iteration 0; the input of the batch is not finite/);
    expect(weights(learn)).toEqual(before);
    expect(learn.recorder.records).toMatchObject([{ epoch: 0, stopReason: learn.stopReason }]);
  });
});

it("gradients after a validation pass are unchanged, frozen parameters bit-identical and not decayed", async () => {
  const learn = tiny({ optimizer: (params, { lr }) => optim.adamW(params, { lr, weightDecay: 0.1 }) });
  const [weight, bias] = learn.model.parameters();
  bias.requiresGrad = false;
  const frozen = bias.toArray();
  await learn.fit(2);
  expect(bias.toArray()).toEqual(frozen);
  learn.model
    .forward(randn([2, 2]))
    .sum()
    .backward();
  const before = weight.grad?.toArray();
  await learn.validate();
  expect(weight.grad?.toArray()).toEqual(before);
});

import { expect, test } from "vitest";
import { ArgumentError } from "../../backend/errors.ts";
import { TensorDataset } from "../../data/dataset.ts";
import { DataLoaders } from "../../data/loaders.ts";
import { ReLU } from "../../nn/activation.ts";
import { Sequential } from "../../nn/containers.ts";
import { Dropout } from "../../nn/dropout.ts";
import { crossEntropy } from "../../nn/functional.ts";
import { Linear } from "../../nn/linear.ts";
import { Module } from "../../nn/module.ts";
import { Buffer } from "../../nn/parameter.ts";
import { adam } from "../../optim/adam.ts";
import { noGrad } from "../../tensor/autograd/mode.ts";
import { zeros } from "../../tensor/create.ts";
import { getRandomState, manualSeed, randint, randn } from "../../tensor/random.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Callback, Json } from "../callback.ts";
import { CancelFit } from "../cancel.ts";
import { Learner } from "../learner.ts";
import { accuracy } from "../metrics.ts";
import type { LearnerOptions } from "../options.ts";

/** Remembers a running mean in a buffer and the last batch in a field, as batch normalisation and recurrent layers do. */
class Remembering extends Module {
  readonly mean = new Buffer(zeros([6]));
  private _last: Tensor | undefined = undefined;

  forward(x: Tensor): Tensor {
    if (this.training) {
      noGrad(() => this.mean.copy_(this.mean.mul(0.9).add(x.detach().mean(0).mul(0.1))));
      this._last = x.detach();
    }
    return x.sub(this.mean);
  }

  get last(): Tensor | undefined {
    return this._last;
  }
}

const adamFactory: NonNullable<LearnerOptions["optimizer"]> = (params, { lr }) => adam(params, { lr });

function learner(options: Partial<LearnerOptions> = {}): Learner {
  manualSeed(7);
  const data = new TensorDataset(randn([70, 6]), randint(0, 3, [70]));
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 16 });
  const model = new Sequential(new Remembering(), new Linear(6, 8), new ReLU(), new Dropout(0.3), new Linear(8, 3));
  return new Learner(dls, model, {
    loss: crossEntropy,
    optimizer: adamFactory,
    lr: 0.01,
    metrics: { accuracy },
    progress: false,
    ...options,
  });
}

/** Everything that lrFind might have touched, as plain data. */
function trace(learn: Learner): unknown {
  const { tensors, ...rest } = learn.optimizer.stateDict();
  return {
    model: [...learn.model.stateDict()].map(([name, x]) => [name, x.toTypedArray()]),
    gradients: learn.model.parameters().map((p) => p.grad?.toTypedArray()),
    modes: learn.model.modules().map((module) => module.training),
    remembered: learn.model.modules().map((module) => module instanceof Remembering && module.last?.toTypedArray()),
    optimizer: [rest, [...tensors].map(([name, x]) => [name, x.toTypedArray()])],
    random: getRandomState(),
    loaders: [learn.dls.train.state(), learn.dls.valid.state()],
    recorder: structuredClone({ ...learn.recorder }),
    metrics: [learn.metrics.values(), learn.metrics.batchLoss],
    place: [learn.epoch, learn.epochs, learn.iteration, learn.iterations, learn.steps, learn.training, learn.running],
    point: { ...learn._point },
    stopReason: learn.stopReason,
    callbacks: [...learn.callbacks],
  };
}

const weights = (learn: Learner): unknown => learn.model.parameters().map((p) => p.toTypedArray());

test("a fit after lrFind equals a fit without it, bit for bit", async () => {
  const plain = learner();
  await plain.fit(2);
  await plain.fit(1);
  const expected = [weights(plain), plain.recorder.losses];

  const found = learner();
  await found.lrFind();
  await found.fit(2);
  await found.lrFind({ numIter: 12, startLr: 1e-3 });
  await found.fit(1);
  expect([weights(found), found.recorder.losses]).toEqual(expected);
});

test("lrFind leaves everything as it was, also modes, gradients and recurrent state", async () => {
  const learn = learner();
  await learn.fit(1);
  learn.optimizer.setHyper("weightDecay", 0.25);
  learn.model.eval();
  learn.model.children()[1].train();
  for (const p of learn.model.parameters()) p.grad = randn(p.shape);
  const before = trace(learn);
  const memory = learn.model.parameters().map((p) => p.storage);
  const { optimizer } = learn;
  await learn.lrFind();
  expect(trace(learn)).toEqual(before);
  expect(learn.model.parameters().map((p) => p.storage)).toEqual(memory);
  expect(learn.optimizer).toBe(optimizer);
});

test("an optimizer that was not there is not there afterwards", async () => {
  let made = 0;
  const learn = learner({
    optimizer: (params, { lr }) => {
      made++;
      return adam(params, { lr });
    },
  });
  await learn.lrFind();
  const during = made;
  learn.optimizer.zeroGrad();
  expect(made).toBe(during + 1);
});

test.each(["beforeFit", "beforeBatch", "afterLoss", "beforeStep", "cleanupFit"] as const)(
  "an error in %s leaves no trace either",
  async (event) => {
    let armed = false;
    const fail: Callback = {
      [event]: (learn: Learner) => {
        if (armed && (learn.steps > 3 || event.endsWith("Fit"))) throw new Error("out of luck");
      },
    };
    const learn = learner({ callbacks: [fail] });
    await learn.fit(1);
    const before = trace(learn);
    armed = true;
    await expect(learn.lrFind()).rejects.toThrow("out of luck");
    armed = false;
    expect(trace(learn)).toEqual(before);
  },
);

test("a cancel ends the run early and leaves no trace", async () => {
  const stop: Callback = {
    afterBatch: ({ steps, epochs }) => {
      if (epochs > 1 && steps === 9) throw new CancelFit("enough");
    },
  };
  const learn = learner({ callbacks: [stop] });
  await learn.fit(1);
  const before = trace(learn);
  const result = await learn.lrFind();
  expect(result.lrs.length).toBe(9);
  expect(trace(learn)).toEqual(before);
});

test("a fit that was cancelled in the middle of an epoch goes on as it would have", async () => {
  const cancelled = async (): Promise<Learner> => {
    const learn = learner();
    const stop: Callback = {
      afterBatch: ({ steps }) => {
        if (steps === 3) throw new CancelFit();
      },
    };
    await learn.fit(1, { callbacks: [stop] });
    return learn;
  };
  const plain = await cancelled();
  await plain.fit(1);
  const found = await cancelled();
  await found.lrFind();
  await found.fit(1);
  expect(weights(found)).toEqual(weights(plain));
});

test("callbacks that watch rest, others work and keep their state", async () => {
  class Counting implements Callback {
    readonly watches: boolean;
    count = 0;
    readonly seen: number[] = [];

    constructor(watches: boolean) {
      this.watches = watches;
    }
    beforeBatch(): void {
      this.count++;
      this.seen.push(this.count);
    }
    state(): Json {
      return [...this.seen];
    }
    loadState(state: Json): void {
      if (Array.isArray(state)) this.seen.splice(0, Number.POSITIVE_INFINITY, ...state.map(Number));
    }
  }
  const counting = new Counting(false);
  const watching = new Counting(true);
  let called = 0;
  const learn = learner({ callbacks: [watching, counting, { beforeBatch: () => void called++ }] });
  await learn.lrFind({ numIter: 20 });
  expect(called).toBe(20);
  expect([counting.count, counting.seen, watching.count, watching.seen]).toEqual([0, [], 0, []]);
  expect(learn.callbacks).toContain(watching);
});

test("defect 18: it stops on NaN, resets itself and covers several epochs", async () => {
  const learn = learner();
  const all = await learn.lrFind({ startLr: 1e-5, endLr: 1e-3, numIter: 40 });
  expect(all.lrs.length, "5 batches an epoch, no validation").toBe(40);
  expect(all.lrs[0]).toBe(1e-5);
  expect(all.lrs[39]).toBeCloseTo(1e-3, 10);

  let batches = 0;
  const poison: Callback = {
    afterPredict: (l) => {
      if (++batches === 15) l.preds = l.preds.mul(Number.NaN);
    },
  };
  learn.addCallback(poison);
  const poisoned = await learn.lrFind({ startLr: 1e-5, endLr: 1e-3, numIter: 40 });
  expect(poisoned.lrs.length).toBe(15);
  expect(poisoned.rawLosses[14]).toBeNaN();
  learn.removeCallback(poison);
  expect((await learn.lrFind({ startLr: 1e-5, endLr: 1e-3, numIter: 40 })).losses).toEqual(all.losses);
});

test("it stops when the smoothed loss has blown up", async () => {
  const learn = learner({ optimizer: (params, { lr }) => adam(params, { lr: lr * 100 }) });
  const result = await learn.lrFind({ startLr: 1e-2, endLr: 1e6, numIter: 100 });
  expect(result.lrs.length).toBeLessThan(100);
  const last = result.losses[result.losses.length - 1];
  expect(last > 4 * Math.min(...result.losses) || !Number.isFinite(last)).toBe(true);
});

test("options are checked, and the learner is not touched while it runs", async () => {
  const learn = learner();
  await expect(learn.lrFind({ startLr: 0 })).rejects.toThrow(ArgumentError);
  await expect(learn.lrFind({ startLr: 1, endLr: 0.1 })).rejects.toThrow(/endLr must be above startLr, got 0.1/);
  await expect(learn.lrFind({ factor: 1 })).rejects.toThrow(ArgumentError);
  await expect(learn.lrFind({ numIter: 1 })).rejects.toThrow(ArgumentError);
  await expect(learn.lrFind({ smoothing: 1 })).rejects.toThrow(ArgumentError);
  const running = learn.fit(2);
  await expect(learn.lrFind()).rejects.toThrow(/running already/);
  await running;
  expect(learn.recorder.records.length).toBe(2);
});

test("nntrain's run: 1e-4 times 1.25 to the k, and a plot with the suggestions", async () => {
  const learn = learner();
  const result = await learn.lrFind({ startLr: 1e-4, factor: 1.25, endLr: 0.1 });
  expect(result.lrs.length).toBe(31);
  expect(result.lrs[2]).toBeCloseTo(1e-4 * 1.25 ** 2, 12);
  expect(result.plot().toString()).toBe("Figure: Learning-rate finder");
});

import { expect, test } from "vitest";
import { DataLoaders, TensorDataset } from "../../data/index.ts";
import { crossEntropy } from "../../nn/functional.ts";
import { Linear, Module, ReLU, Sequential } from "../../nn/index.ts";
import { manualSeed, randint, randn, type Tensor } from "../../tensor/index.ts";
import type { Callback } from "../callback.ts";
import { CancelBackward, CancelBatch } from "../cancel.ts";
import { Learner, type LearnerOptions } from "../learner.ts";
import { Profiler } from "./profiler.ts";

/** Takes up time. */
function busy(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

class Slow extends Module {
  readonly inner = new Linear(4, 4);
  forward(x: Tensor): Tensor {
    busy(2);
    const y = this.inner.forward(x);
    if (y.requiresGrad) {
      y.registerHook(() => {
        busy(3);
        return undefined;
      });
    }
    return y.mul(2);
  }
}

function learner(model: Module, options: Partial<LearnerOptions> = {}): Learner {
  manualSeed(9);
  const data = new TensorDataset(randn([32, 4]), randint(0, 2, [32]));
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 8 });
  return new Learner(dls, model, { loss: crossEntropy, progress: false, ...options });
}

test("the parts of a pass are told apart and make up its whole time", async () => {
  const lines: string[] = [];
  const profiler = new Profiler({ write: (line) => lines.push(line) });
  const slow: Callback = { afterPredict: () => busy(5), beforeStep: () => busy(1) };
  const wait: Callback = { cleanupBatch: () => new Promise((resolve) => setTimeout(resolve, 3)) };
  const learn = learner(new Sequential(new Slow(), new Linear(4, 2)));
  await learn.fit(2, { callbacks: [slow, profiler, wait] });
  expect(profiler.passes.map(({ epoch, pass }) => [epoch, pass])).toEqual([
    [0, "training"],
    [0, "validation"],
    [1, "training"],
    [1, "validation"],
  ]);
  const [, , training, validation] = profiler.passes;
  const sum = ["data", "forward", "backward", "step", "callbacks", "loop"] as const;
  expect(sum.reduce((total, part) => total + training[part], 0)).toBeCloseTo(training.total, 9);
  expect(training.batches).toBe(4);
  expect(training.callbacks).toBeGreaterThan(4 * 0.008);
  expect(training.forward).toBeGreaterThan(4 * 0.002);
  expect(training.forward).toBeLessThan(training.callbacks);
  expect(training.backward).toBeGreaterThan(4 * 0.0025);
  expect(training.loop).toBeLessThan(training.callbacks);
  expect(validation.backward).toBe(0);
  expect(lines).toHaveLength(5);
  expect(lines[0]).toMatch(/data +forward +backward +step +callbacks +loop/);
  expect(lines[3]).toMatch(/\d+\.\d %/);
});

test("nothing of it stays after a fit, nor after an error or cancels", async () => {
  const model = new Sequential(new Linear(4, 2));
  const learn = learner(model);
  const before = learn.callbacks.length;
  const profiler = new Profiler({ modules: true, write: false });
  const fail: Callback = {
    beforeBackward: (l) => {
      if (l.iteration === 0) throw new CancelBackward();
      if (l.iteration === 1) throw new CancelBatch();
      if (l.iteration === 2) throw new Error("no more");
    },
  };
  await expect(learn.fit(1, { callbacks: [profiler, fail] })).rejects.toThrow("no more");
  expect(learn.callbacks).toHaveLength(before);
  expect(Object.hasOwn(model, "forward")).toBe(false);
  await learn.fit(1, { callbacks: [profiler] });
  expect(profiler.passes).toHaveLength(2);
  expect(learn.callbacks).toHaveLength(before);
});

test("modules are timed by class, forward and backward, without those inside them", async () => {
  const model = new Sequential(new Slow(), new ReLU(), new Linear(4, 2));
  const learn = learner(model);
  const plain = learner(new Sequential(new Slow(), new ReLU(), new Linear(4, 2)));
  plain.model.loadStateDict(model.stateDict());
  const profiler = new Profiler({ modules: true, write: false });
  await learn.fit(3, { callbacks: [profiler] });
  await plain.fit(3);
  expect(learn.recorder.losses).toEqual(plain.recorder.losses);
  const times = new Map(profiler.modules.map((one) => [one.name, one]));
  expect([...times.keys()].sort()).toEqual(["(loss)", "Linear", "ReLU", "Sequential", "Slow"]);
  expect(times.get("Linear")?.calls).toBe(2 * 12);
  expect(times.get("Slow")?.calls).toBe(12);
  expect(times.get("Slow")?.forward).toBeGreaterThan(12 * 0.002);
  // The hook that takes time runs before the backward of the Linear inside, right behind that of Slow's own product.
  expect(times.get("Slow")?.backward).toBeGreaterThan(12 * 0.003);
  const backward = profiler.modules.reduce((sum, one) => sum + one.backward, 0);
  expect(times.get("ReLU")?.backward).toBeGreaterThan(0);
  expect(times.get("ReLU")?.backward).toBeLessThan(0.012);
  const forwards = profiler.modules.reduce((sum, one) => sum + one.forward, 0);
  const training = profiler.passes.filter(({ pass }) => pass === "training");
  const total = (part: "forward" | "backward"): number => training.reduce((sum, one) => sum + one[part], 0);
  expect(forwards / total("forward")).toBeGreaterThan(0.8);
  expect(forwards / total("forward")).toBeLessThan(1.05);
  expect(backward / total("backward")).toBeGreaterThan(0.8);
  expect(profiler.modules.reduce((sum, { share }) => sum + share, 0)).toBeLessThanOrEqual(1);
  expect(profiler.toString()).toContain("Slow");
});

test("two profilers, and one around validate, do not disturb each other", async () => {
  const [a, b] = [new Profiler({ write: false }), new Profiler({ write: false })];
  const learn = learner(new Linear(4, 2), { callbacks: [a, b] });
  await learn.fit(1);
  await learn.validate();
  expect(a.passes.map(({ pass }) => pass)).toEqual(["training", "validation", "validation"]);
  expect(b.passes).toHaveLength(3);
});

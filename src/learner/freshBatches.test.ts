import { expect, test } from "vitest";
import { arange, type Callback, DataLoaders, F, Learner, nn, rand, type Tensor, TensorDataset } from "../index.ts";

const items = 12;

function learner(
  callback: Callback,
  options: { readonly batchTransform?: (batch: readonly [Tensor, Tensor]) => readonly [Tensor, Tensor] } = {},
): Learner {
  const data = new TensorDataset(rand([items, 5]), arange(items));
  const model = new nn.Sequential(new nn.Linear(5, 4), new nn.ReLU(), new nn.Linear(4, items));
  const dls = DataLoaders.fromDatasets(data, data, { batchSize: 4, ...options });
  return new Learner(dls, model, { loss: F.crossEntropy, lr: 0.1, progress: false, callbacks: [callback] });
}

/** Notes the memory of inputs without looking at them, as the loop itself does. */
function noting(seen: Tensor[]): Callback {
  return {
    beforeBatch(learn) {
      if (learn._xb !== undefined) seen.push(learn._xb);
    },
  };
}

test("inputs of batches that nobody saw give their memory back, in training and validation", async () => {
  const seen: Tensor[] = [];
  await learner(noting(seen)).fit(2);
  expect(seen.length).toBe(10);
  expect(seen.every((x) => x.storage.released)).toBe(true);
});

test.each(["xb", "batch"] as const)("inputs that a callback looks at through %s stay as they were", async (name) => {
  const kept: { readonly x: Tensor; readonly values: unknown }[] = [];
  const learn = learner({
    afterBatch(learn) {
      const x = name === "xb" ? learn.xb : learn.batch[0];
      kept.push({ x, values: x.toArray() });
    },
  });
  await learn.fit(3);
  expect(kept.length).toBe(15);
  for (const { x, values } of kept) expect(x.toArray()).toEqual(values);
});

test("inputs that a hook, a model of one's own or another loader may hold stay, too", async () => {
  const seen: Tensor[] = [];
  const learn = learner(noting(seen));
  const handle = (learn.model as nn.Sequential).at(0).registerForwardHook(() => undefined);
  await learn.fit(1);
  handle.remove();
  const { train, valid } = learn.dls;
  learn.dls = {
    train: {
      length: train.length,
      iterate: () => train.iterate(),
      state: () => train.state(),
      setState: (state) => train.setState(state),
      [Symbol.asyncIterator]: () => train[Symbol.asyncIterator](),
    },
    valid,
  };
  await learn.fit(1, { valid: false });
  await learner(noting(seen), { batchTransform: (batch) => batch }).fit(1);
  expect(seen.some((x) => x.storage.released)).toBe(false);
});

import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { expectClose, expectSame } from "../../test/close.ts";
import { makeLearner, traceOf } from "../../test/training/resumable.ts";
import { tiny } from "../../test/training/tiny.ts";
import {
  type Callback,
  cat,
  DataLoader,
  F,
  getRandomState,
  Learner,
  loadLearner,
  nn,
  noGrad,
  type RandomState,
  randn,
  setRandomState,
  type Tensor,
  TensorDataset,
  tensor,
  testTimeAugmentation,
  testTimeDropout,
} from "../index.ts";

/** Everything a run without training must leave alone. */
function stateOf(learn: Learner): { readonly random: RandomState } & Record<string, unknown> {
  const { epoch, training, iteration, iterations, running } = learn;
  return {
    trace: JSON.parse(traceOf(learn)),
    metrics: learn.metrics.values(),
    random: getRandomState(),
    modes: learn.model.modules().map((module) => module.training),
    place: [epoch, training, iteration, iterations, running],
  };
}

/** Doubles the inputs, as a transform on batches does. */
const doubling: Callback = {
  beforeBatch: (learn) => {
    learn.xb = learn.xb.mul(2);
  },
};

describe("validate, getPreds and predict", () => {
  it("change nothing", async () => {
    const learn = makeLearner();
    await learn.fit(1);
    learn.model.children()[2].eval(); // on purpose: one module is in another mode than the rest
    const before = stateOf(learn);
    const figures = await learn.validate();
    expect(stateOf(learn)).toEqual(before);
    expect(figures).toEqual(learn.recorder.records[0].valid);
    const after = randn([3, 6]);
    setRandomState(before.random);
    await learn.validate(learn.dls.train);
    await learn.getPreds({ withLoss: true });
    await learn.getPreds({ loader: learn.dls.train });
    learn.predict(after);
    await testTimeDropout(learn, { samples: 2 });
    await expect(
      learn.validate(learn.dls.valid, { callbacks: [{ afterLoss: () => Promise.reject(new Error("no")) }] }),
    ).rejects.toThrow("no");
    expect(() => learn.predict(after.slice(1, 1))).toThrow();
    expect(stateOf(learn)).toEqual(before);
  });

  it("do not change the fit that follows", async () => {
    const plain = makeLearner();
    await plain.fit(3);
    const learn = makeLearner();
    await learn.validate(learn.dls.train);
    await learn.getPreds();
    await learn.fit(3, { callbacks: [{ afterBatch: (at) => void at.predict(at.xb) }] });
    expect(traceOf(learn)).toBe(traceOf(plain));
  });

  it("give predictions, targets and losses in the order of the dataset", async () => {
    const learn = makeLearner();
    const { preds, targets, losses } = await learn.getPreds({ loader: learn.dls.train, withLoss: true });
    const dataset = learn.dls.train.dataset as TensorDataset<readonly Tensor[]>;
    const items = Array.from({ length: 70 }, (_, i) => dataset.get(i) as readonly Tensor[]);
    const x = cat(items.map(([input]) => input.unsqueeze(0)));
    const y = cat(items.map(([, target]) => target.unsqueeze(0)));
    learn.model.eval();
    const expected = noGrad(() => learn.model.forward(x));
    expect(preds.shape).toEqual([70, 3]);
    expectClose(preds, expected);
    expectSame(targets ?? tensor(0), y);
    expectClose(losses ?? tensor(0), F.crossEntropy(expected, y, { reduction: "none" }));
    expectClose((losses ?? tensor(0)).mean(), tensor((await learn.validate(learn.dls.train))["loss"]));
  });

  it("find losses of items where the loss knows no reduction, and in a subclass", async () => {
    const squared = tiny({ loss: (preds, targets) => F.crossEntropy(preds, targets).square() });
    const { losses } = await squared.getPreds({ withLoss: true });
    const { losses: plain } = await tiny().getPreds({ withLoss: true });
    expectClose(losses ?? tensor(0), (plain ?? tensor(0)).square());
    class Halved extends Learner {
      override getLoss(): Tensor {
        return super.getLoss().div(2);
      }
    }
    const { losses: half } = await tiny({}, Halved).getPreds({ withLoss: true });
    expectClose(half ?? tensor(0), (plain ?? tensor(0)).div(2));
  });

  it("take loaders of inputs alone", async () => {
    const learn = tiny({ metrics: { accuracy: () => 1 } });
    const inputs = randn([5, 2]);
    const loader = new DataLoader<readonly Tensor[], readonly Tensor[]>(new TensorDataset(inputs), { batchSize: 2 });
    const { preds, targets, losses } = await learn.getPreds({ loader });
    expectClose(
      preds,
      noGrad(() => learn.model.forward(inputs)),
    );
    expect([targets, losses]).toEqual([undefined, undefined]);
  });

  it("go through the callbacks' batch events and the subclass's predict", async () => {
    class Negated extends Learner {
      override predict(): Tensor {
        return super.predict().neg();
      }
    }
    const learn = tiny({ callbacks: [doubling] }, Negated);
    const x = randn([3, 2]);
    const expected = noGrad(() => learn.model.forward(x.mul(2)).neg());
    expectSame(learn.predict(x), expected);
    const { preds } = await learn.getPreds({ loader: new DataLoader(new TensorDataset(x), { batchSize: 2 }) });
    expectClose(preds, expected);
    expect(learn.predict(x).requiresGrad).toBe(false);
    await expect(learn.fit(1)).resolves.toBeUndefined();
    learn.addCallback({ beforeBatch: async () => {} });
    expect(() => learn.predict(x)).toThrow(/asynchronous.*use getPreds/);
  });
});

describe("test-time", () => {
  it("dropout gives different samples around the prediction", async () => {
    const learn = makeLearner();
    const { samples, mean, std } = await testTimeDropout(learn, { samples: 40 });
    expect(samples.shape).toEqual([40, 30, 3]);
    expect(std.min().item()).toBeGreaterThan(0);
    const { preds } = await learn.getPreds();
    expect(mean.sub(preds).abs().mean().item()).toBeLessThan(0.2);
    expect(learn.model.modules().every((module) => module.training)).toBe(true);
  });

  it("augmentation is the weighted mean of augmented and plain predictions", async () => {
    const learn = tiny();
    let calls = 0;
    const shift = (x: Tensor): Tensor => x.add(calls++ < 2 ? 1 : 3); // two batches a run
    const { preds } = await testTimeAugmentation(learn, shift, { times: 2, beta: 0.5 });
    const plain = (await learn.getPreds()).preds;
    const weights = learn.model.parameters()[0].detach().sum(1); // an input shifted by s moves the output by s·Σw
    expectClose(preds, plain.add(weights), { rtol: 1e-4, atol: 1e-5 });
  });
});

describe("export", () => {
  it("is plain files that make a predictor", async () => {
    const folder = await mkdtemp(join(tmpdir(), "kindling-export-"));
    try {
      const learn = tiny();
      const transforms = [
        { name: "shift", options: { by: 1 } },
        { name: "normalize", options: { mean: 1, std: [2, 4] } },
      ];
      await learn.export(folder, { classes: ["cat", "dog"], transforms });
      expect((await readdir(folder)).sort()).toEqual(["learner.json", "model.safetensors"]);
      const shift = (options: unknown) => (x: Tensor) => x.add((options as { by: number }).by);
      const model = new nn.Linear(2, 2);
      const predictor = await loadLearner(folder, { model, transforms: { shift } });
      const x = randn([4, 2]);
      const expected = learn.predict(x.div(tensor([2, 4])));
      expectClose(predictor.predict(x), expected);
      expect(predictor.classify(x)).toEqual(Array.from(expected.argmax(-1).toTypedArray(), (i) => ["cat", "dog"][i]));
      await expect(loadLearner(folder, { model })).rejects.toThrow(/unknown transform "shift".*normalize, flatten/);
      await expect(loadLearner(folder, { model: new nn.Sequential(new nn.Linear(2, 2)) })).rejects.toThrow(
        /holds a Linear, the model given is a Sequential/,
      );
      const bytes = await readFile(join(folder, "model.safetensors"));
      bytes[bytes.length - 1] ^= 1;
      await writeFile(join(folder, "model.safetensors"), bytes);
      await expect(loadLearner(folder, { model, transforms: { shift } })).rejects.toThrow(/damaged/);
      await rm(join(folder, "learner.json"));
      await expect(loadLearner(folder, { model })).rejects.toThrow(/there is no file/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

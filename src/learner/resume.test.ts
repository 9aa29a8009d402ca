import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { epochs, makeLearner, traceOf, trainOn } from "../../test/training/resumable.ts";
import {
  type Callback,
  CancelBatch,
  CancelEpoch,
  CancelFit,
  CancelPass,
  CancelStep,
  DataLoaders,
  defaultDevice,
  type Event,
  getRandomState,
  manualSeed,
  randint,
  randn,
  type Tensor,
  TensorDataset,
} from "../index.ts";
import { loadCheckpoint } from "../io/checkpoint.ts";
import type { Learner } from "./learner.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kindling-resume-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** A run that never stopped. */
async function whole(options: Parameters<typeof makeLearner>[0] = {}): Promise<string> {
  const learn = makeLearner(options);
  await learn.fit(epochs);
  return traceOf(learn);
}

/** Aborts in the n-th call of an event. */
function abortAt(controller: AbortController, event: Event, count: number): Callback {
  let calls = 0;
  return { watches: true, [event]: () => void (++calls === count && controller.abort("enough")) };
}

describe("resume", () => {
  it("saving changes nothing", async () => {
    const learn = makeLearner();
    await trainOn(learn, folder, { checkpoint: { everySteps: 1, everyEpochs: 1 } });
    expect(traceOf(learn)).toBe(await whole());
  });

  it("goes on from any batch as if never stopped", async () => {
    const expected = await whole();
    for (const stop of [1, 2, 4, 5, 6, 9, 13, 20]) {
      const own = join(folder, String(stop));
      const controller = new AbortController();
      const first = makeLearner();
      await trainOn(first, own, {
        signal: controller.signal,
        callbacks: [abortAt(controller, "beforeStep", stop)],
      });
      expect(first.stopReason).toBe("enough");
      expect(first.recorder.records.at(-1)?.stopReason).toBe("enough");
      const second = makeLearner();
      manualSeed(99); // another process would stand elsewhere
      await trainOn(second, own);
      expect(traceOf(second)).toBe(expected);
    }
  });

  it("goes on from the validation pass and from epoch ends", async () => {
    const expected = await whole();
    for (const [event, count] of [
      ["afterPass", 1],
      ["afterPass", 2],
      ["afterPass", 3],
      ["beforePass", 2],
      ["afterEpoch", 2],
      ["beforeEpoch", 3],
    ] as const) {
      const own = join(folder, `${event}${count}`);
      const controller = new AbortController();
      await trainOn(makeLearner(), own, {
        signal: controller.signal,
        callbacks: [abortAt(controller, event, count)],
      });
      const second = makeLearner();
      manualSeed(99);
      await trainOn(second, own);
      expect(traceOf(second)).toBe(expected);
    }
  });

  it("stays ended where early stopping ended it", async () => {
    const expected = await whole({ patience: 1 });
    const first = makeLearner({ patience: 1 });
    await trainOn(first, folder);
    expect(first.stopReason).toMatch(/"valid.loss" has not improved since/);
    expect(traceOf(first)).toBe(expected);
    const again = makeLearner({ patience: 1 });
    await trainOn(again, folder);
    expect(again.stopReason).toBe(first.stopReason);
    expect(JSON.parse(traceOf(again)).weights).toEqual(JSON.parse(expected).weights);
  });

  it("begins at the start without a checkpoint, and does nothing after the end", async () => {
    const learn = makeLearner();
    await trainOn(learn, join(folder, "not", "there", "yet"));
    expect(traceOf(learn)).toBe(await whole());
    const again = makeLearner();
    await trainOn(again, join(folder, "not", "there", "yet"));
    expect(traceOf(again)).toBe(traceOf(learn));
  });

  it("keeps gradients that add up over batches", async () => {
    // Accumulates two batches per step, as gradient accumulation does.
    const accumulate = (): Callback => ({
      beforeStep: ({ iteration, iterations }) => {
        if (iteration % 2 === 0 && iteration + 1 < iterations) throw new CancelStep();
      },
    });
    const reference = makeLearner();
    await reference.fit(epochs, { callbacks: [accumulate()] });
    const controller = new AbortController();
    await trainOn(makeLearner(), folder, {
      callbacks: [accumulate(), abortAt(controller, "beforeBackward", 8)],
      signal: controller.signal,
    });
    const kept = await loadCheckpoint(folder);
    expect([...(kept?.optimizer.keys() ?? [])]).toContain("gradient.0");
    const second = makeLearner();
    await trainOn(second, folder, { callbacks: [accumulate()] });
    expect(traceOf(second)).toBe(traceOf(reference));
  });

  it("is exact after cancelled batches, passes and epochs", async () => {
    const cancelling = (): Callback => ({
      beforeBackward: ({ steps }) => {
        if (steps === 3) throw new CancelBatch();
        if (steps === 9) throw new CancelPass();
        if (steps === 14) throw new CancelEpoch();
      },
      afterCancelBatch: (learn) => void learn.steps++, // else the same step would be cancelled for ever
      afterCancelPass: (learn) => void learn.steps++,
      afterCancelEpoch: (learn) => void learn.steps++,
    });
    const reference = makeLearner();
    await reference.fit(epochs, { callbacks: [cancelling()] });
    for (const stop of [2, 4, 5, 8, 9, 10, 12, 15]) {
      const own = join(folder, String(stop));
      const controller = new AbortController();
      await trainOn(makeLearner(), own, {
        callbacks: [cancelling(), abortAt(controller, "beforeBatch", stop)],
        signal: controller.signal,
      });
      const second = makeLearner();
      await trainOn(second, own, { callbacks: [cancelling()] });
      expect(JSON.parse(traceOf(second)), `stopped at ${stop}`).toEqual(JSON.parse(traceOf(reference)));
    }
  });

  it("refuses other data, batch sizes, callbacks and lengths", async () => {
    const controller = new AbortController();
    await trainOn(makeLearner(), folder, {
      signal: controller.signal,
      callbacks: [abortAt(controller, "beforeStep", 3)],
    });
    const data = (items: number) => new TensorDataset(randn([items, 6]), randint(0, 3, [items]));
    const other = makeLearner();
    other.dls = DataLoaders.fromDatasets(data(71), data(30), { batchSize: 16 });
    await expect(trainOn(other, folder)).rejects.toThrow(/the data are not those of the checkpoint.*70.*71/);
    const wider = makeLearner();
    wider.dls = DataLoaders.fromDatasets(data(70), data(30), { batchSize: 17 });
    await expect(trainOn(wider, folder)).rejects.toThrow(/the data are not those of the checkpoint/);
    await expect(
      trainOn(makeLearner(), folder, { callbacks: [{ name: "Extra", afterBatch: () => {} }] }),
    ).rejects.toThrow(/the callbacks are not those.*Extra/);
    await expect(makeLearner().fit(epochs + 1, { resume: folder })).rejects.toThrow(/a fit of 6 epochs, not 7/);
  });

  it("cancels by a callback in the middle of a batch leave the batch before it", async () => {
    const learn = makeLearner();
    await trainOn(learn, folder, {
      callbacks: [{ afterLoss: ({ steps }) => void (steps === 7 && fail()) }],
    });
    expect(learn.stopReason).toBe("broken");
    const saved = await loadCheckpoint(folder);
    expect(saved?.state).toMatchObject({
      point: { epoch: 1, stage: "training", iteration: 2 },
      steps: 7,
      ended: "broken",
    });
  });

  it("keeps what callbacks hold in tensors", async () => {
    // A moving average of the weights, which takes their place in the end.
    const averaging = (): Callback => {
      let average = new Map<string, Tensor>();
      return {
        name: "average",
        beforeFit: ({ model }) => {
          average = new Map([...model.stateDict()].map(([name, x]) => [name, x.clone()]));
        },
        afterStep: ({ model }) => {
          for (const [name, x] of model.stateDict())
            average.set(name, average.get(name)?.mul(0.9).add(x.mul(0.1)) ?? x);
        },
        afterFit: ({ model }) => void model.loadStateDict(average),
        stateTensors: () => average,
        loadStateTensors: (tensors) => {
          average = new Map([...tensors].map(([name, x]) => [name, x.to(defaultDevice())]));
        },
      };
    };
    const reference = makeLearner({ patience: 100 });
    await reference.fit(epochs, { callbacks: [averaging()] });
    const controller = new AbortController();
    const first = makeLearner({ patience: 100 });
    await trainOn(first, folder, {
      callbacks: [averaging(), abortAt(controller, "beforeStep", 8)],
      signal: controller.signal,
    });
    const second = makeLearner({ patience: 100 });
    await trainOn(second, folder, { callbacks: [averaging()] });
    expect(weightsOf(second)).toEqual(weightsOf(reference));
  });

  it("keeps the newest few and the best", async () => {
    const learn = makeLearner({ patience: 100 });
    await trainOn(learn, folder, { checkpoint: { everySteps: 2, keep: 2, best: "valid.loss" } });
    const names = (await readdir(folder)).sort();
    expect(names.length).toBe(3);
    expect(names).toContain("best");
    const best = await loadCheckpoint(join(folder, "best"));
    const losses = learn.recorder.validLosses.map(({ loss }) => loss);
    expect(best?.state).toMatchObject({ point: { epoch: losses.indexOf(Math.min(...losses)) + 1 } });
  });
});

describe("save and load", () => {
  it("bring back weights and optimizer", async () => {
    const learn = makeLearner();
    await learn.fit(2);
    await learn.save(folder);
    await learn.save(folder);
    expect((await readdir(folder)).length).toBe(1);
    const other = makeLearner();
    await other.load(folder);
    expect(weightsOf(other)).toEqual(weightsOf(learn));
    const random = getRandomState();
    manualSeed(1);
    await learn.fit(1);
    manualSeed(1);
    other.dls.train.setState({ ...other.dls.train.state(), epoch: 2 });
    await other.fit(1);
    expect(random).not.toEqual(getRandomState());
    expect(weightsOf(other)).toEqual(weightsOf(learn));
    await expect(other.load(join(folder, "nowhere"))).rejects.toThrow(/there is no checkpoint in/);
  });
});

function fail(): never {
  throw new CancelFit("broken");
}

function weightsOf(learn: Learner): unknown {
  return JSON.parse(traceOf(learn)).weights;
}

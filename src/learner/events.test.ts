import { describe, expect, it } from "vitest";
import { noting, tiny } from "../../test/training/tiny.ts";
import { type Callback, CancelBackward, CancelEpoch, CancelFit, CancelPass, CancelStep } from "../index.ts";

// What the forebears' notebooks and articles print, in kindling's names.
describe("printed sequences", () => {
  it("nntrain 2/n: one epoch with training and validation", async () => {
    const log: string[] = [];
    await tiny().fit(1, {
      callbacks: [noting(log, ["beforeFit", "beforePass", "afterPass", "afterFit"])],
    });
    expect(log).toEqual(["beforeFit", "beforePass", "afterPass", "beforePass", "afterPass", "afterFit"]);
  });

  it("nntrain 2/n: CancelFit in beforePass prints only the first line", async () => {
    const log: string[] = [];
    const learn = tiny();
    const cancel: Callback = {
      beforePass: () => {
        throw new CancelFit();
      },
    };
    await learn.fit(1, { callbacks: [noting(log, ["beforeFit", "afterFit"]), cancel] });
    expect(log).toEqual(["beforeFit"]);
    expect(learn.stopReason).toBe("cancelled in beforePass of a callback");
  });

  it("nntrain 2/n: metrics before device, both of order 0, as they were added", async () => {
    const log: string[] = [];
    await tiny().fit(1, { callbacks: [noting(log, ["beforeFit"], "metrics "), noting(log, ["beforeFit"], "device ")] });
    expect(log).toEqual(["metrics beforeFit", "device beforeFit"]);
  });

  it("dl2 04 TestCallback: stops after 10 iterations, having printed 1 to 10", async () => {
    const printed: number[] = [];
    let done = 0;
    const test: Callback = {
      afterBatch: ({ training }) => {
        if (!training) return;
        printed.push(++done);
        if (done >= 10) throw new CancelFit();
      },
    };
    await tiny({ train: 40 }).fit(1, { callbacks: [test] });
    expect(printed).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it("dl2 05b and Dellinger: cancelled when the count of batches before reaches 10, or 9", async () => {
    for (const limit of [10, 9]) {
      const printed: number[] = [];
      const test: Callback = {
        afterStep: (learn) => {
          // The step that has just been taken is counted, those notebooks count it later.
          const before = learn.steps - 1;
          printed.push(before);
          if (before >= limit) throw new CancelFit();
        },
      };
      const learn = tiny({ train: 40 });
      await learn.fit(1, { callbacks: [test] });
      expect(printed).toEqual(Array.from({ length: limit + 1 }, (_, i) => i));
      expect(learn.steps).toBe(limit + 1);
    }
  });

  it("miniai: events of one training batch, cleanup after all", async () => {
    const log: string[] = [];
    const names = [
      "beforeBatch",
      "afterPredict",
      "afterLoss",
      "afterBackward",
      "afterStep",
      "afterBatch",
      "cleanupBatch",
    ];
    await tiny({ train: 2 }).fit(1, {
      valid: false,
      callbacks: [noting(log, names as (keyof Callback)[])],
    });
    expect(log).toEqual(names);
  });

  it("fastai v2: all events of an epoch of one training and one validation batch", async () => {
    const log: string[] = [];
    const phases = ["Fit", "Epoch", "Pass", "Batch", "Backward", "Step"];
    const names = phases.flatMap((phase) => [`before${phase}`, `after${phase}`, `cleanup${phase}`]);
    await tiny({ train: 2, valid: 2 }).fit(1, {
      callbacks: [noting(log, [...names, "afterPredict", "afterLoss"] as (keyof Callback)[])],
    });
    expect(log).toEqual([
      ..."beforeFit beforeEpoch".split(" "),
      ..."beforePass beforeBatch afterPredict afterLoss".split(" "),
      ..."beforeBackward afterBackward cleanupBackward beforeStep afterStep cleanupStep".split(" "),
      ..."afterBatch cleanupBatch afterPass cleanupPass".split(" "),
      ..."beforePass beforeBatch afterPredict afterLoss afterBatch cleanupBatch afterPass cleanupPass".split(" "),
      ..."afterEpoch cleanupEpoch afterFit cleanupFit".split(" "),
    ]);
  });
});

describe("cancels", () => {
  it("end their phase and no more", async () => {
    for (const [Cancel, steps, passes] of [
      [CancelStep, 6, 4],
      [CancelBackward, 6, 4],
      [CancelPass, 0, 4],
      [CancelEpoch, 0, 2],
    ] as const) {
      const log: string[] = [];
      let taken = 0;
      const name = Cancel === CancelStep ? "beforeStep" : Cancel === CancelBackward ? "beforeBackward" : "beforeBatch";
      const cancel: Callback = {
        [name]: ({ training }: { training: boolean }) => {
          if (training) throw new Cancel();
        },
        afterStep: () => void taken++,
      };
      const learn = tiny();
      const before = learn.model.parameters().map((p) => p.toArray());
      await learn.fit(2, { callbacks: [cancel, noting(log, ["beforePass", "afterCancelFit", "afterFit"])] });
      expect([learn.steps, taken]).toEqual([steps, 0]);
      expect(log).toEqual([...Array.from({ length: passes }, () => "beforePass"), "afterFit"]);
      expect(learn.model.parameters().map((p) => p.toArray())).toEqual(before);
      expect(learn.stopReason).toBeUndefined();
    }
  });

  it("of the step keep gradients, of the batch drop them", async () => {
    const learn = tiny({ train: 2 });
    const cancel: Callback = {
      beforeStep: () => {
        throw new CancelStep();
      },
    };
    await learn.fit(1, { callbacks: [cancel], valid: false });
    const [once] = learn.model.parameters().map((p) => p.grad?.toArray());
    expect(once).toBeDefined();
    await learn.fit(1, { callbacks: [cancel], valid: false });
    expect(learn.model.parameters()[0].grad?.toArray()).toEqual(once); // a fit begins without
    await learn.fit(1, { valid: false, callbacks: [{ beforeStep: () => Promise.reject(new CancelFit()) }] });
    expect(learn.model.parameters()[0].grad).toBeUndefined();
  });
});

describe("the list of callbacks", () => {
  it("may change during a fit; it takes effect with the next phase", async () => {
    const log: string[] = [];
    const late = noting(log, ["beforeFit", "beforeEpoch", "beforeBatch", "afterBatch", "afterEpoch", "cleanupFit"]);
    const learn = tiny({ train: 4 });
    await learn.fit(2, {
      valid: false,
      callbacks: [
        {
          beforeBatch: ({ epoch, iteration }) => {
            if (epoch === 0 && iteration === 0) learn.addCallback(late);
            if (epoch === 1 && iteration === 0) learn.removeCallback(late);
          },
        },
      ],
    });
    expect(log).toEqual(["beforeBatch", "afterBatch", "beforeEpoch", "beforeBatch", "afterBatch", "afterEpoch"]);
  });
});

/** The Learner with everything on, or the same steps in a bare loop over the same loader. */
import {
  accuracy,
  DataLoader,
  DataLoaders,
  F,
  Learner,
  manualSeed,
  optim,
  ParamScheduler,
  rand,
  randint,
  TensorDataset,
} from "kindling";
import type { LearnerWork } from "../workloads.ts";
import { type Prepared, type Result, secondsSince } from "./prepared.ts";
import { countParameters, mlp, optimizerOf } from "./training.ts";

/** An epoch is `batches` steps; a slice runs whole epochs and says how many steps those were. */
export function prepareLearner(work: LearnerWork, mode: "full" | "bare"): Prepared {
  manualSeed(42);
  const rows = work.batch * work.batches;
  const pixels = work.image.reduce((a, b) => a * b);
  const dataset = new TensorDataset(rand([rows, pixels]), randint(0, 10, [rows]));
  const loader = new DataLoader(dataset, { batchSize: work.batch, shuffle: true });
  const model = mlp(work.image, work.hidden);
  const run = mode === "bare" ? bareLoop(work, loader, model) : fullLearner(work, loader, model);
  return {
    parameters: countParameters(model),
    async run(steps) {
      const epochs = Math.max(1, Math.round(steps / work.batches));
      const start = performance.now();
      const result = await run(epochs);
      return { seconds: secondsSince(start), steps: epochs * work.batches, ...result };
    },
  };
}

type Runs = (epochs: number) => Promise<Pick<Result, "loss">>;
type Model = ReturnType<typeof mlp>;

function bareLoop(work: LearnerWork, loader: DataLoader, model: Model): Runs {
  const optimizer = optimizerOf(work, model);
  return async (epochs) => {
    let last = 0;
    for (let epoch = 0; epoch < epochs; epoch++) {
      for await (const [x, y] of loader) {
        const loss = F.crossEntropy(model.forward(x), y);
        loss.backward();
        optimizer.step();
        optimizer.zeroGrad();
        last = loss.item();
      }
    }
    return { loss: last };
  };
}

/** Recorder and metrics are the Learner's own; the schedule is asked for, and the bar drawn on a terminal that is none. */
function fullLearner(work: LearnerWork, loader: DataLoader, model: Model): Runs {
  pretendTerminal();
  const learn = new Learner(new DataLoaders(loader, loader), model, {
    loss: F.crossEntropy,
    optimizer: optim.sgd,
    lr: work.lr,
    metrics: { accuracy },
  });
  return async (epochs) => {
    const schedule = new ParamScheduler({ lr: optim.schedCos(work.lr, work.lr / 10) });
    await learn.fit(epochs, { valid: false, callbacks: [schedule] });
    const train = learn.recorder.records.at(-1)?.train;
    return train === undefined ? {} : { loss: train.loss };
  };
}

/** Bars and tables are drawn only for a terminal; here they are drawn and thrown away. */
function pretendTerminal(): void {
  for (const stream of [process.stdout, process.stderr]) {
    Object.defineProperty(stream, "isTTY", { value: true });
    Object.defineProperty(stream, "write", { value: () => true });
  }
}

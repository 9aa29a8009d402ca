/** Full training steps, written as a user writes them. */
import { F, manualSeed, nn, optim, rand, randint, type Tensor } from "kindling";
import type { LoopWork, TrainWork } from "../workloads.ts";
import { type Prepared, peakMegabytes, type Result, secondsSince } from "./prepared.ts";

type AnyTraining = Pick<TrainWork, "hidden" | "image" | "optimizer" | "lr" | "model" | "batch" | "batches">;
type Batch = readonly [x: Tensor, y: Tensor];

export function prepareMlp(work: TrainWork | LoopWork): Prepared {
  return prepareTraining(work, mlp(work.image, work.hidden));
}

export function mlp(image: TrainWork["image"], hidden: number): nn.Module {
  const inputs = image.reduce((a, b) => a * b);
  return new nn.Sequential(new nn.Linear(inputs, hidden), new nn.ReLU(), new nn.Linear(hidden, 10));
}

/** Batches of noise: `[batch, pixels]` for the mlp, `[batch, c, h, w]` for image networks. */
export function batchesOf(work: AnyTraining): Batch[] {
  const { batch, image } = work;
  const shape = work.model === "mlp" ? [batch, image.reduce((a, b) => a * b)] : [batch, ...image];
  return Array.from({ length: work.batches }, () => [rand(shape), randint(0, 10, [batch])]);
}

export function optimizerOf(work: AnyTraining, model: nn.Module): optim.Optimizer {
  const { lr } = work;
  const parameters = model.parameters();
  switch (work.optimizer) {
    case "sgd":
      return optim.sgd(parameters, { lr });
    case "momentum":
      return optim.sgd(parameters, { lr, momentum: 0.9 });
    case "adam":
      return optim.adam(parameters, { lr });
    case "adamW":
      return optim.adamW(parameters, { lr });
  }
}

export function countParameters(model: nn.Module): number {
  return [...model.parameters()].reduce((sum, p) => sum + p.numel(), 0);
}

/** Training of any model on the work's noise; a loop of fixed length watches its memory. */
export function prepareTraining(work: TrainWork | LoopWork, model: nn.Module): Prepared {
  manualSeed(42);
  const batches = batchesOf(work);
  const optimizer = optimizerOf(work, model);
  let i = 0;
  const step = (): Tensor => {
    const [x, y] = batches[i++ % batches.length];
    const loss = F.crossEntropy(model.forward(x), y);
    loss.backward();
    optimizer.step();
    optimizer.zeroGrad();
    return loss;
  };
  const parameters = countParameters(model);
  return { parameters, run: (steps) => (work.kind === "loop" ? runLoop(work, step) : runSteps(steps, step)) };
}

function runSteps(steps: number, step: () => Tensor): Result {
  const start = performance.now();
  let loss = step();
  for (let i = 1; i < steps; i++) loss = step();
  return { seconds: secondsSince(start), loss: loss.item() };
}

/** One synchronous loop from the first step to the last: the collector alone keeps memory bounded. */
function runLoop(work: LoopWork, step: () => Tensor): Result {
  const start = performance.now();
  let settledMB = 0;
  let loss = step();
  for (let i = 1; i < work.steps; i++) {
    loss = step();
    if (i + 1 === work.settled) settledMB = peakMegabytes();
  }
  return { seconds: secondsSince(start), loss: loss.item(), settledMB, endMB: peakMegabytes() };
}

/**
 * The training loop, grown step by step into the Learner: one function, callbacks by a handler, a runner whose callbacks can
 * stop it, and kindling's Learner, which does the same with typed events and cancels.
 *
 * Follows the lesson on callbacks of fast.ai's "Deep learning from the foundations".
 * `--short` (or KINDLING_SHORT=1) trains on a tenth of the data.
 */
import assert from "node:assert/strict";
import { argv, env } from "node:process";
import { accuracy, type Callback, CancelFit, F, Learner, manualSeed, nn, noGrad, optim, type Tensor } from "kindling";
import { DataLoaders, mnistTensors, TensorDataset } from "kindling/data";

const short = env["KINDLING_SHORT"] === "1" || argv.includes("--short");
manualSeed(2);
const { train, valid } = await mnistTensors({ flatten: true });
const trainSet = new TensorDataset(train.x.div(255), train.y).slice(0, short ? 5_000 : 50_000);
const validSet = new TensorDataset(valid.x.div(255), valid.y);
const dls = DataLoaders.fromDatasets(trainSet, validSet, { batchSize: 64, dropLast: true });
const makeModel = () => new nn.Sequential(new nn.Linear(784, 50), new nn.ReLU(), new nn.Linear(50, 10));

// --- 1. One function ------------------------------------------------------------------------------------------------

// Five things that belong together travel as one.
interface Parts {
  readonly model: nn.Module;
  readonly optimizer: optim.Optimizer;
  readonly data: DataLoaders;
}

function makeParts(): Parts {
  const model = makeModel();
  return { model, optimizer: optim.sgd(model.parameters(), { lr: 0.5 }), data: dls };
}

async function fitPlainly(epochs: number, { model, optimizer, data }: Parts): Promise<number> {
  let share = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    model.train();
    for await (const [x, y] of data.train) {
      F.crossEntropy(model.forward(x), y).backward();
      optimizer.step();
      optimizer.zeroGrad();
    }
    model.eval();
    let [right, count] = [0, 0];
    for await (const [x, y] of data.valid) {
      right += noGrad(() => accuracy(model.forward(x), y)) * y.numel();
      count += y.numel();
    }
    share = right / count;
    console.log(`plain loop: epoch ${epoch}, accuracy ${share.toFixed(4)}`);
  }
  return share;
}
assert.ok((await fitPlainly(1, makeParts())) > 0.7, "the plain loop has learned too little");

// --- 2. A handler ---------------------------------------------------------------------------------------------------

// Nothing new may be written into that function for every idea. It asks others instead, and goes on while they say yes.
interface Listener {
  beginFit?(parts: Parts): boolean;
  afterLoss?(loss: Tensor): boolean;
  afterStep?(): boolean;
}

class Handler {
  readonly listeners: readonly Listener[];
  stop = false;

  constructor(listeners: readonly Listener[]) {
    this.listeners = listeners;
  }

  beginFit(parts: Parts): boolean {
    return this.listeners.every((listener) => listener.beginFit?.(parts) ?? true);
  }

  afterLoss(loss: Tensor): boolean {
    return this.listeners.every((listener) => listener.afterLoss?.(loss) ?? true);
  }

  afterStep(): boolean {
    if (!this.listeners.every((listener) => listener.afterStep?.() ?? true)) this.stop = true;
    return !this.stop;
  }
}

async function fitHandled(epochs: number, parts: Parts, handler: Handler): Promise<void> {
  const { model, optimizer, data } = parts;
  if (!handler.beginFit(parts)) return;
  for (let epoch = 0; epoch < epochs && !handler.stop; epoch++) {
    for await (const [x, y] of data.train) {
      const loss = F.crossEntropy(model.forward(x), y);
      if (!handler.afterLoss(loss)) continue;
      loss.backward();
      optimizer.step();
      optimizer.zeroGrad();
      if (!handler.afterStep()) break;
    }
  }
}

function stopAfterTen(): Listener & { readonly seen: number[] } {
  const seen: number[] = [];
  return { seen, afterStep: () => seen.push(seen.length + 1) < 10 };
}

const handled = stopAfterTen();
await fitHandled(1, makeParts(), new Handler([handled]));
console.log(`handler: ${handled.seen.join(" ")}`);
assert.deepEqual(handled.seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);

// --- 3. A runner ----------------------------------------------------------------------------------------------------

// A method per event in the handler says nothing: call events by name, in order. A listener that wants to stop throws;
// that cannot be forgotten on the way, as a boolean can.
class Stop extends Error {}

interface Step {
  readonly order?: number;
  beginFit?(run: Runner): void;
  beginBatch?(run: Runner): void;
  afterPred?(run: Runner): void;
  afterLoss?(run: Runner): void;
  afterBatch?(run: Runner): void;
  afterFit?(run: Runner): void;
}

class Runner {
  readonly parts: Parts;
  readonly steps: readonly Step[];
  training = true;
  iterations = 0;
  loss = Number.NaN;

  constructor(parts: Parts, steps: readonly Step[]) {
    this.parts = parts;
    this.steps = steps.toSorted((a, b) => (a.order ?? 0) - (b.order ?? 0));
  }

  async fit(epochs: number): Promise<void> {
    try {
      this.call("beginFit");
      for (let epoch = 0; epoch < epochs; epoch++) {
        await this.pass(true);
        await this.pass(false);
      }
    } catch (error) {
      if (!(error instanceof Stop)) throw error;
    } finally {
      this.call("afterFit");
    }
  }

  private async pass(training: boolean): Promise<void> {
    const { model, data } = this.parts;
    this.training = training;
    model.train(training);
    for await (const [x, y] of training ? data.train : data.valid) this.batch(x, y);
  }

  private batch(x: Tensor, y: Tensor): void {
    const { model, optimizer } = this.parts;
    this.call("beginBatch");
    const preds = model.forward(x);
    this.call("afterPred");
    const loss = F.crossEntropy(preds, y);
    this.loss = loss.item();
    this.call("afterLoss");
    if (this.training) {
      loss.backward();
      optimizer.step();
      optimizer.zeroGrad();
      this.iterations++;
    }
    this.call("afterBatch");
  }

  private call(event: Exclude<keyof Step, "order">): void {
    for (const step of this.steps) step[event]?.(this);
  }
}

const seenByRunner: number[] = [];
const stopper: Step = {
  order: 1,
  afterLoss: ({ iterations }) => {
    seenByRunner.push(iterations);
    if (iterations >= 10) throw new Stop();
  },
};
const losses: number[] = [];
const recorder: Step = { afterLoss: ({ loss }) => losses.push(loss) };
await new Runner(makeParts(), [stopper, recorder]).fit(1);
console.log(`runner: ${seenByRunner.join(" ")}`);
assert.deepEqual(seenByRunner, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]); // it counts after the batch: eleven looks
assert.equal(losses.length, 11); // the recorder has order 0, so it ran before the stop

// --- 4. The Learner -------------------------------------------------------------------------------------------------

const makeLearner = () => new Learner(dls, makeModel(), { loss: F.crossEntropy, lr: 0.5, metrics: { accuracy } });

/** Notes events as they come. */
class Printer implements Callback {
  readonly lines: string[] = [];

  beforeFit(): void {
    this.lines.push("before fit");
  }
  beforePass({ pass }: Learner): void {
    this.lines.push(`before ${pass} pass`);
  }
  afterPass({ pass }: Learner): void {
    this.lines.push(`after ${pass} pass`);
  }
  afterFit(): void {
    this.lines.push("after fit");
  }
  afterCancelFit({ stopReason }: Learner): void {
    this.lines.push(`fit cancelled: ${stopReason}`);
  }
}

const printer = new Printer();
const learn = makeLearner();
await learn.fit(1, { callbacks: [printer] }); // there for this fit only
console.log(`Learner: ${printer.lines.join(", ")}`);
assert.deepEqual(printer.lines, [
  "before fit",
  "before training pass",
  "after training pass",
  "before validation pass",
  "after validation pass",
  "after fit",
]);
assert.ok((learn.recorder.records[0].valid?.["accuracy"] ?? 0) > 0.7, "the Learner has learned too little");

// Ten iterations, then out. What was cancelled has no "after"; it has an "afterCancel".
const counted: number[] = [];
const tenOnly: Callback = {
  afterBatch: ({ steps }) => {
    counted.push(steps);
    if (steps === 10) throw new CancelFit("ten are enough");
  },
};
const second = new Printer();
await learn.fit(1, { callbacks: [tenOnly, second] });
console.log(`Learner: ${counted.join(" ")}; ${second.lines.at(-1)}`);
assert.deepEqual(counted, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
assert.deepEqual(second.lines, ["before fit", "before training pass", "fit cancelled: ten are enough"]);

// Cancelled before the first pass: no pass begins, and "after fit" is not told.
const third = new Printer();
const never: Callback = {
  order: -100,
  beforePass: () => {
    throw new CancelFit("not today");
  },
};
await learn.fit(5, { callbacks: [never, third] });
console.log(`Learner: ${third.lines.join(", ")}`);
assert.deepEqual(third.lines, ["before fit", "fit cancelled: not today"]);

/**
 * How to choose a learning rate, and how to change it during training: the finder, one cycle, schedules of one's own.
 *
 * Follows the lessons on annealing and on the Learner of fast.ai's courses, on Fashion-MNIST. KINDLING_SHORT=1 trains for
 * one epoch each. Charts are written to runs/ where the chart packages are installed.
 */
import process from "node:process";
import {
  ActivationStats,
  accuracy,
  combineScheds,
  F,
  Learner,
  manualSeed,
  nn,
  optim,
  ParamScheduler,
  schedCos,
  schedLin,
} from "kindling";
import { fashionMnist } from "kindling/data";

const epochs = process.env["KINDLING_SHORT"] === "1" ? 1 : 4;

async function learner(): Promise<Learner> {
  manualSeed(42);
  const dls = await fashionMnist({ batchSize: 1024, flatten: true, normalize: false });
  const model = new nn.Sequential(new nn.Linear(784, 50), new nn.ReLU(), new nn.Linear(50, 10));
  return new Learner(dls, model, {
    loss: F.crossEntropy,
    optimizer: (params, { lr }) => optim.sgd(params, { lr, momentum: 0.9 }),
    metrics: { accuracy },
  });
}

// 1. The finder tries rates from 1e-7 to 10 on one batch after the other, then puts everything back.
const learn = await learner();
const found = await learn.lrFind();
console.log(`${found.lrs.length} batches; suggestions`, found.suggestions);
await found.plot().save("runs/lr-finder.svg");

// 2. One cycle: the rate rises to what was found and falls to almost nothing, momentum goes the other way.
await learn.fitOneCycle(epochs, { lr: found.suggestion });
console.log("one cycle:", learn.recorder.records.at(-1)?.valid);
await learn.recorder.plotSchedule().save("runs/one-cycle.svg");

// 3. A schedule of one's own: warm up along a line, then half a cosine; with a look at the activations meanwhile.
const own = await learner();
const lr = combineScheds([0.2, 0.8], [schedLin(0, found.suggestion), schedCos(found.suggestion, 0)]);
const stats = new ActivationStats({ every: 5 });
await own.fit(epochs, { callbacks: [new ParamScheduler({ lr }), stats] });
console.log("own schedule:", own.recorder.records.at(-1)?.valid);
await stats.colorDim().save("runs/activations.svg");

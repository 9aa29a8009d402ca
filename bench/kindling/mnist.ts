/** The main job: 784-50-10 on real MNIST through the Learner, without progress. */
import { accuracy, F, Learner, manualSeed, nn, optim } from "kindling";
import { mnist } from "kindling/data";
import type { MnistWork } from "../workloads.ts";
import { type Prepared, secondsSince } from "./prepared.ts";
import { countParameters } from "./training.ts";

/** As with the peers, the images are read and scaled before the clock starts. */
export async function prepareMnist(work: MnistWork): Promise<Prepared> {
  const dls = await mnist({
    batchSize: work.batch,
    validBatchSize: work.validBatch,
    flatten: true,
    normalize: false,
  });
  const build = () => new nn.Sequential(new nn.Linear(784, work.hidden), new nn.ReLU(), new nn.Linear(work.hidden, 10));
  return {
    parameters: countParameters(build()),
    async run(_steps, seed) {
      manualSeed(seed);
      const start = performance.now();
      const learn = new Learner(dls, build(), {
        loss: F.crossEntropy,
        optimizer: optim.sgd,
        lr: work.lr,
        metrics: { accuracy },
        progress: false,
      });
      await learn.fit(work.epochs);
      const seconds = secondsSince(start);
      const valid = learn.recorder.records.at(-1)?.valid;
      if (valid === undefined) throw new Error("the learner kept no record of the last epoch");
      return { seconds, loss: valid.loss, accuracy: valid.accuracy };
    },
  };
}

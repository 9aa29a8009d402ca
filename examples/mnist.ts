/**
 * The main job: trains a network with one hidden layer on real MNIST and shows it: progress, a table, the loss curve as a
 * picture and the model as a file under `runs/`. `npm start` runs it; `npm start -- --epochs 1` is quicker.
 */
import { Command } from "@commander-js/extra-typings";
import { accuracy, F, Learner, manualSeed, nn, optim } from "kindling";
import { mnist } from "kindling/data";
import { saveSafetensors } from "kindling/io";

const { epochs, seed } = new Command("npm start --")
  .option("--epochs <count>", "how often to go through the training set", Number, 5)
  .option("--seed <number>", "where the random numbers begin", Number, 42)
  .parse()
  .opts();

manualSeed(seed);
// The last, smaller batch is left out: at this learning rate a step on 16 images can undo much of the epoch before it.
const dls = await mnist({ batchSize: 64, flatten: true, normalize: false, dropLast: true });
const model = new nn.Sequential(new nn.Linear(784, 50), new nn.ReLU(), new nn.Linear(50, 10));
const learn = new Learner(dls, model, {
  loss: F.crossEntropy,
  optimizer: optim.sgd,
  lr: 0.5,
  metrics: { accuracy },
  progress: true,
});

console.log(String(model));
const start = performance.now();
await learn.fit(epochs);
const seconds = (performance.now() - start) / 1000;

await learn.recorder.plotLoss().save("runs/mnist-loss.svg");
await saveSafetensors("runs/mnist.safetensors", model.stateDict());
console.log("wrote runs/mnist-loss.svg and runs/mnist.safetensors");
const reached = learn.recorder.records.at(-1)?.valid?.["accuracy"] ?? Number.NaN;
console.log(`valid accuracy ${reached.toFixed(4)} in ${seconds.toFixed(1)} s`);

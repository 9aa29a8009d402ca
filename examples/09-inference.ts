/**
 * Using a trained model: which classes it takes for which, what it is most wrong about, and export as plain files that a
 * program without the training code can load. Pictures go to runs/. `--short` (or KINDLING_SHORT=1) trains less.
 */
import assert from "node:assert/strict";
import { argv, env } from "node:process";
import { accuracy, ConfusionMatrix, F, Learner, loadLearner, manualSeed, nn, optim, topKAccuracy } from "kindling";
import { DataLoaders, fashionMnistTensors, TensorDataset } from "kindling/data";
import { confusionChart, imageGrid } from "kindling/viz";

const short = env["KINDLING_SHORT"] === "1" || argv.includes("--short");
manualSeed(9);
const classes = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Boot"];
const { train, valid } = await fashionMnistTensors();
const [mean, std] = [72.9, 90];
const prepare = (x: typeof train.x) => x.sub(mean).div(std).flatten(1);
const trainSet = new TensorDataset(prepare(train.x), train.y).slice(0, short ? 10_000 : 60_000);
const validSet = new TensorDataset(prepare(valid.x), valid.y);
const dls = DataLoaders.fromDatasets(trainSet, validSet, { batchSize: 256, classes });

const makeModel = () => new nn.Sequential(new nn.Linear(784, 100), new nn.ReLU(), new nn.Linear(100, 10));
const confusion = new ConfusionMatrix();
const learn = new Learner(dls, makeModel(), {
  loss: F.crossEntropy,
  optimizer: optim.adamW,
  lr: 5e-3,
  metrics: { accuracy, "top 3": topKAccuracy(3), confusion },
  progress: true,
});
await learn.fitOneCycle(short ? 1 : 4);

// --- What it takes for what -----------------------------------------------------------------------------------------

const counts = confusion.matrix(); // of the last pass, which was validation
const mixups = counts.flatMap((row, i) =>
  row.map((count, j) => ({ count, truth: classes[i], taken: classes[j], i, j })),
);
const [worst] = mixups.filter(({ i, j }) => i !== j).sort((a, b) => b.count - a.count);
console.log(`most common mistake: ${worst.count} × ${worst.truth} taken for ${worst.taken}`);
await confusionChart(counts, { classes }).save("runs/09-confusion.svg");

// --- What it is most wrong about ------------------------------------------------------------------------------------

const { preds, targets, losses } = await learn.getPreds({ withLoss: true });
assert.ok(targets !== undefined && losses !== undefined, "both were asked for");
const recorded = learn.recorder.records.at(-1)?.valid?.["accuracy"] ?? Number.NaN;
assert.ok(Math.abs(accuracy(preds, targets) - recorded) < 1e-6, "not the accuracy of the record");
const { indices } = losses.topk(12);
const pictures = valid.x.indexSelect(0, indices).squeeze(1).div(255);
const titles = [...indices.toTypedArray()].map((i) => {
  const taken = preds.at(i).argmax().item();
  return `${classes[targets.at(i).item()]}: ${classes[taken]}`;
});
const grid = { pixels: pictures.toTypedArray(), shape: pictures.shape };
await imageGrid(grid, { titles, columns: 4, size: 110 }).save("runs/09-worst.svg");
console.log("wrote runs/09-confusion.svg and runs/09-worst.svg");

// --- Export ---------------------------------------------------------------------------------------------------------

// Weights as safetensors, the rest as JSON: names of classes, and what is done to inputs. No code.
const transforms = [{ name: "normalize", options: { mean, std } }, { name: "flatten" }];
await learn.export("runs/09-export", { transforms });

// Elsewhere: a model of the same architecture, and raw images.
const predictor = await loadLearner("runs/09-export", { model: makeModel() });
const answers = predictor.classify(valid.x.slice(0, 0, 5));
const truths = [...valid.y.slice(0, 0, 5).toTypedArray()].map((y) => classes[y]);
console.log(`exported model: ${answers.join(", ")}; truth: ${truths.join(", ")}`);
assert.deepEqual(
  answers,
  [...preds.slice(0, 0, 5).argmax(1).toTypedArray()].map((i) => classes[i]),
);

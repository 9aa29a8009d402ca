/**
 * The training loop from foundations, on real MNIST: every part made by hand first, then kindling's own in its place.
 * After each step the network must have learned; a step that broke something stops the script.
 *
 * Follows the lesson on mini-batch training of fast.ai's "Deep learning from the foundations".
 * `--short` (or KINDLING_SHORT=1) trains on a fifth of the images.
 */
import assert from "node:assert/strict";
import { argv, env } from "node:process";
import { accuracy, arange, F, Learner, manualSeed, nn, noGrad, optim, randperm, stack, type Tensor } from "kindling";
import { DataLoader, DataLoaders, mnistTensors, RandomSampler, SequentialSampler, TensorDataset } from "kindling/data";

const short = env["KINDLING_SHORT"] === "1" || argv.includes("--short");
manualSeed(1);
const { train, valid } = await mnistTensors({ flatten: true });
const count = short ? 10_000 : 50_000;
const [xTrain, yTrain] = [train.x.slice(0, 0, count).div(255), train.y.slice(0, 0, count)];
const [xValid, yValid] = [valid.x.div(255), valid.y];
const [n, batchSize, lr, hidden, classes] = [count, 64, 0.5, 50, 10];
const goal = short ? 0.8 : 0.9; // what two epochs must reach
assert.deepEqual(train.x.shape, [50_000, 784]);
assert.deepEqual(yTrain.slice(0, 0, 5).toArray(), [5, 0, 4, 1, 9]);

function near(a: Tensor, b: Tensor): void {
  const scale = b.abs().mul(1e-3).add(1e-5);
  assert.equal(a.sub(b).abs().le(scale).all().item(), 1, `${a} is not near ${b}`);
}

function report(step: string, model: { forward(x: Tensor): Tensor }): void {
  const [loss, share] = noGrad(() => {
    const preds = model.forward(xValid);
    return [F.crossEntropy(preds, yValid).item(), accuracy(preds, yValid)];
  });
  console.log(`${step.padEnd(44)} valid loss ${loss.toFixed(4)}  accuracy ${share.toFixed(4)}`);
  assert.ok(share > 0.7, `${step}: the accuracy is only ${share}`);
}

// --- The loss -------------------------------------------------------------------------------------------------------

// log softmax, first as it is defined: the logarithm of eˣ over the sum of all eˣ
const byDefinition = (x: Tensor): Tensor =>
  x
    .exp()
    .div(x.exp().sum(-1, { keepDims: true }))
    .log();
// the logarithm of a quotient is a difference
const byDifference = (x: Tensor): Tensor => x.sub(x.exp().sum(-1, { keepDims: true }).log());
// eˣ overflows from 89 on: take the largest x out of the sum first
const logSumExp = (x: Tensor): Tensor => {
  const m = x.amax(-1, { keepDims: true });
  return m.add(x.sub(m).exp().sum(-1, { keepDims: true }).log());
};
const logSoftmax = (x: Tensor): Tensor => x.sub(logSumExp(x));
// only the target's entry counts, so pick it by its number instead of multiplying with a row of zeros and a one
const nll = (logp: Tensor, y: Tensor): Tensor => logp.gather(1, y.unsqueeze(1)).mean().neg();

const fresh = makeModel();
const preds = noGrad(() => fresh.forward(xTrain));
near(byDefinition(preds), preds.logSoftmax(-1));
near(byDifference(preds), preds.logSoftmax(-1));
near(logSoftmax(preds), preds.logSoftmax(-1));
near(logSumExp(preds.mul(1e4)).squeeze(-1), preds.mul(1e4).logSumExp(-1)); // no overflow

const first = logSoftmax(preds).at(0);
const oneHot = F.oneHot(yTrain.slice(0, 0, 1), classes).at(0);
near(first.mul(oneHot).sum().neg(), first.at(5).neg()); // the first digit is a 5
near(nll(logSoftmax(preds), yTrain), F.crossEntropy(preds, yTrain));
near(F.nll(preds.logSoftmax(-1), yTrain), F.crossEntropy(preds, yTrain));
console.log(`cross-entropy of a fresh network ${F.crossEntropy(preds, yTrain).item().toFixed(4)}, log 10 is 2.3026`);

// --- The loop -------------------------------------------------------------------------------------------------------

function makeModel(): nn.Sequential {
  return new nn.Sequential(new nn.Linear(784, hidden), new nn.ReLU(), new nn.Linear(hidden, classes));
}

/** One epoch of slices in order; `update` changes the weights and clears the gradients. */
function oneEpoch(model: { forward(x: Tensor): Tensor }, update: () => void): void {
  for (let i = 0; i < Math.floor((n - 1) / batchSize) + 1; i++) {
    const xb = xTrain.slice(0, i * batchSize, (i + 1) * batchSize);
    const yb = yTrain.slice(0, i * batchSize, (i + 1) * batchSize);
    F.crossEntropy(model.forward(xb), yb).backward();
    noGrad(update);
  }
}

/** The update itself, for any list of parameters. */
function descend(parameters: readonly Tensor[]): void {
  for (const p of parameters) {
    if (p.grad === undefined) continue;
    p.sub_(p.grad.mul(lr));
    p.grad = undefined;
  }
}

const layered = makeModel();
oneEpoch(layered, () => {
  for (const layer of layered) if (layer instanceof nn.Linear && layer.bias) descend([layer.weight, layer.bias]);
});
report("update layer by layer", layered);

// --- Modules --------------------------------------------------------------------------------------------------------

/** Parts register themselves by being set as properties: a walk over them finds every parameter. */
class HandMadeModule {
  *parameters(): Generator<nn.Parameter> {
    for (const part of Object.values(this)) if (part instanceof nn.AnyModule) yield* part.parameters();
  }
}

class HandMadeModel extends HandMadeModule {
  readonly l1 = new nn.Linear(784, hidden);
  readonly l2 = new nn.Linear(hidden, classes);

  forward(x: Tensor): Tensor {
    return this.l2.forward(this.l1.forward(x).relu());
  }
}

const handMade = new HandMadeModel();
const shapes = [...handMade.parameters()].map((p) => p.shape);
assert.deepEqual(shapes, [[hidden, 784], [hidden], [classes, hidden], [classes]]);
oneEpoch(handMade, () => descend([...handMade.parameters()]));
report("a module that finds its parameters", handMade);

class ListModel extends nn.Module {
  readonly layers = new nn.ModuleList([new nn.Linear(784, hidden), new nn.ReLU(), new nn.Linear(hidden, classes)]);

  forward(x: Tensor): Tensor {
    return [...this.layers].reduce((h, layer) => layer.forward(h), x);
  }
}

const listed = new ListModel();
oneEpoch(listed, () => descend(listed.parameters()));
report("nn.Module with an nn.ModuleList", listed);

const sequential = makeModel();
oneEpoch(sequential, () => descend(sequential.parameters()));
report("nn.Sequential", sequential);

// --- The optimizer --------------------------------------------------------------------------------------------------

class HandMadeOptimizer {
  readonly params: readonly Tensor[];
  readonly lr: number;

  constructor(params: readonly Tensor[], lr: number) {
    this.params = params;
    this.lr = lr;
  }

  step(): void {
    for (const p of this.params) if (p.grad) p.sub_(p.grad.mul(this.lr));
  }

  zeroGrad(): void {
    for (const p of this.params) p.grad = undefined;
  }
}

const model4 = makeModel();
const handOptimizer = new HandMadeOptimizer(model4.parameters(), lr);
oneEpoch(model4, () => {
  handOptimizer.step();
  handOptimizer.zeroGrad();
});
report("a hand-made optimizer", model4);

const model5 = makeModel();
const sgd = optim.sgd(model5.parameters(), { lr });
oneEpoch(model5, () => {
  sgd.step();
  sgd.zeroGrad();
});
report("optim.sgd, all parameters in one call", model5);

// --- Dataset, sampler, loader ---------------------------------------------------------------------------------------

class HandMadeDataset {
  readonly x: Tensor;
  readonly y: Tensor;

  constructor(x: Tensor, y: Tensor) {
    this.x = x;
    this.y = y;
  }

  get length(): number {
    return this.x.shape[0];
  }

  get(i: number): readonly [Tensor, Tensor] {
    return [this.x.at(i), this.y.at(i)];
  }
}

class HandMadeSampler {
  readonly n: number;
  readonly batchSize: number;
  readonly shuffle: boolean;

  constructor(count: number, size: number, shuffle: boolean) {
    this.n = count;
    this.batchSize = size;
    this.shuffle = shuffle;
  }

  *[Symbol.iterator](): Generator<number[]> {
    const order = [...(this.shuffle ? randperm(this.n) : arange(this.n)).toTypedArray()];
    for (let i = 0; i < this.n; i += this.batchSize) yield order.slice(i, i + this.batchSize);
  }
}

assert.deepEqual([...new HandMadeSampler(10, 3, false)], [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]);
assert.deepEqual([...new HandMadeSampler(10, 3, true)].flat().sort(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

type Pair = readonly [Tensor, Tensor];
const collate = (items: readonly Pair[]): Pair => [stack(items.map(([x]) => x)), stack(items.map(([, y]) => y))];

class HandMadeLoader {
  readonly dataset: HandMadeDataset;
  readonly sampler: HandMadeSampler;

  constructor(dataset: HandMadeDataset, sampler: HandMadeSampler) {
    this.dataset = dataset;
    this.sampler = sampler;
  }

  *[Symbol.iterator](): Generator<Pair> {
    for (const indices of this.sampler) yield collate(indices.map((i) => this.dataset.get(i)));
  }
}

const validOrder = new HandMadeSampler(yValid.numel(), batchSize, false);
const [[xb, yb]] = new HandMadeLoader(new HandMadeDataset(xValid, yValid), validOrder);
assert.deepEqual([xb.shape, yb.shape, yb.at(0).item()], [[64, 784], [64], 3]);

async function fitWith(loader: Iterable<Pair> | AsyncIterable<readonly Tensor[]>): Promise<nn.Sequential> {
  const model = makeModel();
  const opt = optim.sgd(model.parameters(), { lr });
  for await (const [x, y] of loader) {
    F.crossEntropy(model.forward(x), y).backward();
    opt.step();
    opt.zeroGrad();
  }
  return model;
}

const byHand = new HandMadeLoader(new HandMadeDataset(xTrain, yTrain), new HandMadeSampler(n, batchSize, true));
report("hand-made dataset, sampler, collate, loader", await fitWith(byHand));

const trainSet = new TensorDataset(xTrain, yTrain);
const validSet = new TensorDataset(xValid, yValid);
report(
  "DataLoader with a sampler",
  await fitWith(new DataLoader(trainSet, { batchSize, sampler: new RandomSampler(n) })),
);
report(
  "DataLoader, shuffle, dropLast",
  await fitWith(new DataLoader(trainSet, { batchSize, shuffle: true, dropLast: true })),
);
const inOrder = new DataLoader(validSet, { batchSize: 2 * batchSize, sampler: new SequentialSampler(validSet.length) });

// --- Validation, weighted by samples --------------------------------------------------------------------------------

const model8 = makeModel();
const opt8 = optim.sgd(model8.parameters(), { lr });
let reached = 0;
for (let epoch = 0; epoch < 2; epoch++) {
  model8.train();
  for await (const [x, y] of new DataLoader(trainSet, { batchSize, shuffle: true, dropLast: true })) {
    F.crossEntropy(model8.forward(x), y).backward();
    opt8.step();
    opt8.zeroGrad();
  }
  model8.eval();
  let [loss, right, count] = [0, 0, 0];
  for await (const [x, y] of inOrder) {
    const out = noGrad(() => model8.forward(x));
    loss += F.crossEntropy(out, y).item() * y.numel(); // the last batch holds 16: weigh it so
    right += accuracy(out, y) * y.numel();
    count += y.numel();
  }
  reached = right / count;
  console.log(`epoch ${epoch}  valid loss ${(loss / count).toFixed(4)}  accuracy ${reached.toFixed(4)}`);
}
assert.ok(reached > goal, `the accuracy is only ${reached}`);

// --- And all of it by kindling --------------------------------------------------------------------------------------

const dls = DataLoaders.fromDatasets(trainSet, validSet, { batchSize, dropLast: true });
const learn = new Learner(dls, makeModel(), { loss: F.crossEntropy, lr, metrics: { accuracy } });
await learn.fit(2);
const { valid: figures } = learn.recorder.records[1];
console.log(`Learner: valid loss ${figures?.["loss"].toFixed(4)}  accuracy ${figures?.["accuracy"].toFixed(4)}`);
assert.ok((figures?.["accuracy"] ?? 0) > goal, "the Learner has learned too little");

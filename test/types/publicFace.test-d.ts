/** What must be a red line in an editor, and what must not. Checked by `tsc`, never run. */
import { type Callback, F, Learner, nn, optim, type Tensor, zeros } from "../../src/index.ts";
import { xresnet18 } from "../../src/vision/index.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only when the type of the value is T, not merely assignable to it. */
function isExactly<T>(): <U>(value: U, ...equal: Equal<T, U> extends true ? [] : [never]) => void {
  return () => undefined;
}

declare const x: Tensor;
declare const dls: ConstructorParameters<typeof Learner>[0];

// Names of options
new nn.Linear(2, 2, { bias: false });
// @ts-expect-error: biases
new nn.Linear(2, 2, { biases: false });
// @ts-expect-error: snake case
new nn.Conv2d(3, 8, 3, { padding_mode: "zeros" });
// @ts-expect-error: strides
new nn.Conv2d(3, 8, 3, { strides: 2 });
// @ts-expect-error: outputPadding is for transposed convolutions
new nn.Conv2d(3, 8, 3, { outputPadding: 1 });
// @ts-expect-error: trackStats
new nn.BatchNorm2d(3, { trackStats: false });
// @ts-expect-error: layer norm has no momentum
new nn.LayerNorm(3, { momentum: 0.1 });
// @ts-expect-error: num_classes
xresnet18({ num_classes: 10 });
// @ts-expect-error: label_smoothing
F.crossEntropy(x, x, { label_smoothing: 0.1 });
// @ts-expect-error: mse has no weight
F.mse(x, x, { weight: x });
// @ts-expect-error: average is no reduction
F.mse(x, x, { reduction: "average" });
// @ts-expect-error: fan_in
nn.init.kaimingNormal_(x, { mode: "fan_in" });
// @ts-expect-error: swish is not among the gains
nn.init.calculateGain("swish");

// Kinds of arguments
// @ts-expect-error: a size is a number
new nn.Linear("784", 10);
// @ts-expect-error: sizes are positional
new nn.Linear({ inFeatures: 784, outFeatures: 10 });
// @ts-expect-error: p is positional
new nn.Dropout({ p: 0.5 });
// @ts-expect-error: a layer, not its class
new nn.Sequential(nn.ReLU);
// @ts-expect-error: layers, not a list of them
new nn.Sequential([new nn.ReLU()]);
// @ts-expect-error: attention takes three tensors, so it is no layer
new nn.Sequential(new nn.MultiheadAttention(8, 2));
// @ts-expect-error: tensors, not arrays
new nn.ReLU().forward([1, 2]);
// @ts-expect-error: one input
new nn.ReLU().forward(x, x);
// @ts-expect-error: a module is called by forward
new nn.ReLU()(x);
// @ts-expect-error: a list has no forward of its own
new nn.ModuleList([new nn.ReLU()]).forward(x);
// @ts-expect-error: a Map, not an object
new nn.ReLU().loadStateDict({ weight: x });
// @ts-expect-error: fields of layers that say how they were built do not change
new nn.Linear(2, 2).inFeatures = 3;

// Names of events in object literals
const watcher: Callback = { afterEpoch: (learn) => void learn.epoch };
// @ts-expect-error: afterEpochs is no event
const mistaken: Callback = { afterEpochs: () => undefined };
// @ts-expect-error: begin_fit is another library's
const foreign: Callback = { begin_fit: () => undefined };
// @ts-expect-error: an event is a function
const wrong: Callback = { beforeFit: true };
void [watcher, mistaken, foreign, wrong];

// Learners and optimizers
const learn = new Learner(dls, new nn.Linear(2, 2), { loss: F.crossEntropy, optimizer: optim.adamW, lr: 1e-3 });
void learn.fit(1, { callbacks: [{ beforeBatch: () => undefined }] });
// @ts-expect-error: no event
void learn.fit(1, { callbacks: [{ beforeBatches: () => undefined }] });
// @ts-expect-error: learningRate
void learn.fit(1, { learningRate: 1 });
// @ts-expect-error: a learner needs a loss
new Learner(dls, new nn.Linear(2, 2), { lr: 1 });
optim.sgd([], { lr: 0.1, momentum: 0.9 });
// @ts-expect-error: mom
optim.sgd([], { lr: 0.1, mom: 0.9 });
// @ts-expect-error: sgd has no betas
optim.sgd([], { lr: 0.1, betas: [0.9, 0.99] });
// @ts-expect-error: weight_decay
optim.adam([], { lr: 0.1, weight_decay: 0.1 });
// @ts-expect-error: the rate is needed
optim.sgd([], {});
// @ts-expect-error: parameters, not the model
optim.sgd(new nn.Linear(2, 2), { lr: 0.1 });

// Modules carry the types of their forward
class Pair extends nn.Module<readonly [Tensor, number], readonly [Tensor, Tensor]> {
  readonly layer = new nn.Linear(2, 2);
  forward(input: Tensor, times: number): readonly [Tensor, Tensor] {
    return [this.layer.forward(input), input.mul(times)];
  }
}
isExactly<readonly [Tensor, Tensor]>()(new Pair().forward(x, 2));
// @ts-expect-error: a pair is not a tensor
isExactly<Tensor>()(new Pair().forward(x, 2));
isExactly<Tensor>()(new nn.Sequential(new nn.ReLU()).forward(x));
isExactly<nn.Layer>()(new nn.Sequential().at(0));
isExactly<nn.Linear>()(new nn.ModuleList([new nn.Linear(1, 1)]).at(0));
isExactly<Pair>()(
  new Pair()
    .train()
    .eval()
    .to("float64")
    .apply(() => undefined),
);
isExactly<nn.Parameter | undefined>()(new nn.Linear(2, 2).bias);
isExactly<nn.Parameter[]>()(new Pair().parameters());
isExactly<nn.StateDict>()(new Pair().stateDict());
new Pair().registerForwardHook((module) => isExactly<Pair>()(module));
// @ts-expect-error: times is missing
new Pair().forward(x);
// @ts-expect-error: a pair is no layer
new nn.Sequential(new Pair());
class Broken extends nn.Module {
  // @ts-expect-error: forward must give what Module says
  forward(input: Tensor): number {
    return input.rank;
  }
}
// @ts-expect-error: forward is missing
class Empty extends nn.Module {}
void [Broken, Empty];

// A hand-made layer, function or not, is a layer
class Twice extends nn.Module {
  forward(input: Tensor): Tensor {
    return input.mul(2);
  }
}
const custom: nn.Layer = new Twice();
new nn.Sequential(custom, new nn.Lambda((input) => input.add(zeros([1]))));
// @ts-expect-error: a bare function is no module
new nn.Sequential((input: Tensor) => input);

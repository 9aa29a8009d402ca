import { yieldToEvents } from "#platform";
import { ArgumentError } from "../backend/errors.ts";
import type { Module } from "../nn/module.ts";
import type { Optimizer, OptimizerFactory } from "../optim/optimizer.ts";
import { sgd } from "../optim/sgd.ts";
import { enableGrad, noGrad } from "../tensor/autograd/mode.ts";
import { getRandomState, setRandomState } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Callback, type Event, warnNearMisses } from "./callback.ts";
import { MetricsCallback } from "./callbacks/metrics.ts";
import { Progress } from "./callbacks/progress.ts";
import { Recorder } from "./callbacks/recorder.ts";
import { type LrFindOptions, type LrFindResult, lrFind } from "./callbacks/lrFinder.ts";
import { TerminateOnNan } from "./callbacks/terminateOnNan.ts";
import { CancelFit } from "./cancel.ts";
import { Dispatcher } from "./dispatch.ts";
import * as policies from "./fitPolicies.ts";
import type { FitOptions, LearnerOptions, LoaderPair, LossFunction, Splitter, TensorLoader } from "./options.ts";

export type { FitOptions, LearnerOptions, LoaderPair, LossFunction, Splitter, TensorLoader } from "./options.ts";

/** The longest the event loop waits for its turn while batches are short, in milliseconds. */
const turn = 25;

/**
 * Brings data, model, loss and optimizer together and runs the training loop, which callbacks open up.
 *
 * Subclasses may replace `predict`, `getLoss`, `backward`, `step` and `zeroGrad`.
 *
 * @see fastai, miniai and nntrain: Learner.
 * @example
 * const data = new TensorDataset(randn([64, 4]), randint(0, 2, [64]));
 * const dls = DataLoaders.fromDatasets(data, data, { batchSize: 16 });
 * const learn = new Learner(dls, new nn.Linear(4, 2), { loss: F.crossEntropy, lr: 0.1, metrics: { accuracy } });
 * await learn.fit(2);
 * learn.recorder.records.length; // => 2
 */
export class Learner {
  model: Module<readonly [Tensor], Tensor>;
  dls: LoaderPair;
  lossFunction: LossFunction;
  /** Learning rate where `fit` names none. */
  lr: number;
  readonly metrics: MetricsCallback;
  readonly recorder: Recorder;

  /** The batch as the loader gave it. */
  batch: readonly Tensor[] = [];
  /** Epochs of this fit, and the current one, from 0. */
  epochs = 0;
  epoch = 0;
  /** Whether this is a training pass. */
  training = false;
  /** Position in the pass, from 0, and the number of its batches. */
  iteration = 0;
  iterations = 0;
  /** Training batches done in this fit. */
  steps = 0;
  /** Why the last fit ended early; undefined when it did not. */
  stopReason: string | undefined;
  /** Whether a fit or a validation is going on. */
  running = false;

  private readonly _factory: OptimizerFactory;
  private readonly _splitter: Splitter | undefined;
  private readonly _callbacks: Callback[];
  private _temporary: readonly Callback[] = [];
  private _dispatcher: Dispatcher | undefined;
  private _optimizer: Optimizer | undefined;
  private _optimized: readonly Tensor[] = [];
  private _xb: Tensor | undefined;
  private _yb: Tensor | undefined;
  private _preds: Tensor | undefined;
  private _loss: Tensor | undefined;
  private _lastYield = 0;
  private _signal: AbortSignal | undefined;

  constructor(dls: LoaderPair, model: Module<readonly [Tensor], Tensor>, options: LearnerOptions) {
    const { loss, optimizer = sgd, lr = 0.01, metrics = {}, callbacks = [], splitter, progress } = options;
    this.dls = dls;
    this.model = model;
    this.lossFunction = loss;
    this.lr = lr;
    this._factory = optimizer;
    this._splitter = splitter;
    this.metrics = new MetricsCallback(metrics);
    this.recorder = new Recorder();
    this._callbacks = [new TerminateOnNan(), this.metrics, this.recorder];
    if (progress !== false) this._callbacks.push(new Progress({ table: progress ?? "auto" }));
    for (const callback of callbacks) this.addCallback(callback);
  }

  /** Inputs of the current batch; callbacks may replace them. */
  get xb(): Tensor {
    return present(this._xb, "xb", "a batch");
  }
  set xb(value: Tensor) {
    this._xb = value;
  }

  /** Targets of the current batch; callbacks may replace them. */
  get yb(): Tensor {
    return present(this._yb, "yb", "a batch");
  }
  set yb(value: Tensor) {
    this._yb = value;
  }

  /** Predictions for the current batch, from `afterPredict` on. */
  get preds(): Tensor {
    return present(this._preds, "preds", "predict");
  }
  set preds(value: Tensor) {
    this._preds = value;
  }

  /** Loss of the current batch, from `afterLoss` on; what callbacks add to it is trained on. */
  get loss(): Tensor {
    return present(this._loss, "loss", "getLoss");
  }
  set loss(value: Tensor) {
    this._loss = value;
  }

  /** Where training stands, from 0 at the start of the fit to 1 at its end. */
  get position(): number {
    const share = this.training && this.iterations > 0 ? this.iteration / this.iterations : 0;
    return this.epochs === 0 ? 0 : (this.epoch + share) / this.epochs;
  }

  /** The pass in words. */
  get pass(): "training" | "validation" {
    return this.training ? "training" : "validation";
  }

  /** All callbacks of the present or next fit, in the order they run. */
  get callbacks(): readonly Callback[] {
    return [...this._callbacks, ...this._temporary].sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
  }

  /** The optimizer; it stays from fit to fit, and is made anew when the model's parameters are others. */
  get optimizer(): Optimizer {
    const groups = this._splitter?.(this.model) ?? [this.model.parameters()];
    const params = groups.flat();
    const same = params.length === this._optimized.length && params.every((p, i) => p === this._optimized[i]);
    if (this._optimizer === undefined || !same) {
      this._optimized = params;
      this._optimizer = this._factory(
        groups.filter((group) => group.length > 0).map((group) => ({ params: group })),
        { lr: this.lr },
      );
    }
    return this._optimizer;
  }

  /** Forgets the optimizer and its state; the next use makes a new one. */
  resetOptimizer(): void {
    this._optimizer = undefined;
  }

  /** Adds a callback that stays; during a fit it takes effect with the next phase. @returns this learner. */
  addCallback(callback: Callback): this {
    if (this._callbacks.includes(callback)) throw new ArgumentError("addCallback", "this callback was added before.");
    warnNearMisses(callback);
    this._callbacks.push(callback);
    this._dispatcher = undefined;
    return this;
  }

  /** Takes a callback out. @returns this learner. */
  removeCallback(callback: Callback): this {
    const position = this._callbacks.indexOf(callback);
    if (position >= 0) this._callbacks.splice(position, 1);
    this._dispatcher = undefined;
    return this;
  }

  /** The first callback of a class. */
  callback<C extends Callback>(type: abstract new (...args: never[]) => C): C | undefined {
    return this.callbacks.find((callback): callback is C => callback instanceof type);
  }

  /**
   * Trains for some epochs, each a training pass and a validation pass.
   *
   * @throws whatever a callback, the model or the data throws; see {@link trainingContext} for where it arose.
   */
  async fit(epochs: number, options: FitOptions = {}): Promise<void> {
    if (!Number.isInteger(epochs) || epochs < 0) {
      throw new ArgumentError("fit", `the number of epochs must be a whole number from 0, got ${epochs}.`);
    }
    await this.exclusively("fit", options.callbacks ?? [], options.signal, async () => {
      this.optimizer.setHyper("lr", options.lr ?? this.lr);
      this.optimizer.zeroGrad();
      this.epochs = epochs;
      this.steps = 0;
      this.epoch = 0;
      await this.runFit(0, options);
    });
  }

  /**
   * Runs over a loader without training and gives the loss and metrics.
   *
   * Nothing else changes: not the weights, the random state, the records or the model's mode.
   *
   * @param loader - Default the validation loader.
   */
  async validate(
    loader: TensorLoader = this.dls.valid,
    { callbacks = [] }: { readonly callbacks?: readonly Callback[] } = {},
  ): Promise<Record<string, number>> {
    const random = getRandomState();
    const { training } = this.model;
    try {
      let result: Record<string, number> = {};
      await this.exclusively("validate", callbacks, undefined, async () => {
        await this.runPass(loader, false, 0);
        result = this.metrics.values();
      });
      return result;
    } finally {
      setRandomState(random);
      this.model.train(training);
    }
  }

  /** Trains along one cycle: rate up and down, momentum down and up. @see {@link OneCycle} */
  async fitOneCycle(epochs: number, options: policies.FitOneCycleOptions = {}): Promise<void> {
    await policies.fitOneCycle(this, epochs, options);
  }

  /** Trains at a flat learning rate that falls along a cosine at the end. @see fastai: `fit_flat_cos`. */
  async fitFlatCos(epochs: number, options: policies.FitFlatCosOptions = {}): Promise<void> {
    await policies.fitFlatCos(this, epochs, options);
  }

  /** Trains the last group with the others frozen, then all at rates growing from group to group. @see fastai: `fine_tune`. */
  async fineTune(epochs: number, options: policies.FineTuneOptions = {}): Promise<void> {
    await policies.fineTune(this, epochs, options);
  }

  /** Freezes all parameter groups but the last. */
  freeze(): void {
    policies.freezeTo(this, -1);
  }

  /** Makes all parameters trainable. */
  unfreeze(): void {
    policies.freezeTo(this, 0);
  }

  /**
   * Freezes the first `count` parameter groups and makes the others trainable; −n leaves the last n trainable.
   * Layers with running statistics, such as batch normalisation, stay trainable. The optimizer starts anew.
   */
  freezeTo(count: number): void {
    policies.freezeTo(this, count);
  }

  /** Tries ever higher learning rates and suggests one; leaves no trace in the learner. @see Smith 2017, arXiv:1506.01186 */
  async lrFind(options: LrFindOptions = {}): Promise<LrFindResult> {
    return lrFind(this, options);
  }

  /** Predictions for the current batch; subclasses may replace it. */
  predict(): Tensor {
    return this.model.forward(this.xb);
  }

  /** Loss of the current batch; subclasses may replace it. */
  getLoss(): Tensor {
    return this.lossFunction(this.preds, this.yb);
  }

  /** Gradients of the current batch; subclasses may replace it. */
  backward(): void {
    this.loss.backward();
  }

  /** The optimizer's step; subclasses may replace it. */
  step(): void {
    this.optimizer.step();
  }

  /** Forgets the gradients; subclasses may replace it. */
  zeroGrad(): void {
    this.optimizer.zeroGrad();
  }

  /** Calls an event of every callback, as the loop does. For subclasses with events of their own timing. */
  protected async publish(event: Event): Promise<void> {
    await this.dispatcher.publish(event);
  }

  private get dispatcher(): Dispatcher {
    this._dispatcher ??= new Dispatcher(this, [...this._callbacks, ...this._temporary]);
    return this._dispatcher;
  }

  /** One run at a time, with callbacks that are there for it only, whatever happens. */
  private async exclusively(
    operation: string,
    callbacks: readonly Callback[],
    signal: AbortSignal | undefined,
    run: () => Promise<void>,
  ): Promise<void> {
    if (this.running) throw new ArgumentError(operation, "the learner is running already; await the other call first.");
    this.running = true;
    this._lastYield = performance.now();
    try {
      callbacks.forEach(warnNearMisses);
      this._temporary = [...callbacks];
      this._dispatcher = undefined;
      this._signal = signal;
      await run();
    } finally {
      this.running = false;
      this._temporary = [];
      this._dispatcher = undefined;
      this._signal = undefined;
    }
  }

  private async runFit(start: number, { train = true, valid = true }: FitOptions): Promise<void> {
    this.stopReason = undefined;
    const { training } = this.model;
    try {
      await this.dispatcher.runPhase("fit", async () => {
        for (this.epoch = start; this.epoch < this.epochs; this.epoch++) {
          await this.dispatcher.runPhase("epoch", async () => {
            if (train) await this.runPass(this.dls.train, true, 0);
            if (valid) await this.runPass(this.dls.valid, false, 0);
          });
        }
      });
    } finally {
      this.model.train(training);
      this.training = false;
    }
  }

  private async runPass(loader: TensorLoader, training: boolean, start: number): Promise<void> {
    this.training = training;
    this.iteration = start;
    this.iterations = loader.length;
    this.model.train(training);
    await this.dispatcher.runPhase("pass", async () => {
      for (const next of loader.iterate(start > 0 ? { start } : {})) {
        const batch = next instanceof Promise ? await next : next;
        await this.runBatch(batch);
        this.iteration++;
        if (performance.now() - this._lastYield > turn) await this.breathe();
      }
    });
  }

  private async runBatch(batch: readonly Tensor[]): Promise<void> {
    if (this._signal?.aborted) throw new CancelFit(String(this._signal.reason ?? "aborted"));
    this.batch = batch;
    this._xb = batch[0];
    this._yb = batch.at(-1);
    let touched = false;
    const done = await this.dispatcher.runPhase("batch", async () => {
      const compute = this.training ? enableGrad : noGrad;
      this._preds = compute(() => this.predict());
      const predicted = this.dispatcher.publish("afterPredict");
      if (predicted !== undefined) await predicted;
      this._loss = compute(() => this.getLoss());
      const lost = this.dispatcher.publish("afterLoss");
      if (lost !== undefined) await lost;
      if (!this.training) return;
      touched = true;
      await this.train();
    });
    if (!done && touched) this.optimizer.zeroGrad();
  }

  private async train(): Promise<void> {
    const { dispatcher } = this;
    const ready = await dispatcher.runPhase("backward", () => this.backward());
    if (ready) {
      const stepped = await dispatcher.runPhase("step", () => this.step());
      if (stepped) this.zeroGrad();
    }
    this.steps++;
  }

  private async breathe(): Promise<void> {
    await yieldToEvents();
    this._lastYield = performance.now();
  }
}

function present(value: Tensor | undefined, name: string, maker: string): Tensor {
  if (value !== undefined) return value;
  throw new ArgumentError(`learn.${name}`, `there is none before ${maker}.`);
}

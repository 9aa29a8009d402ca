import { ArgumentError } from "../backend/errors.ts";
import type { Module } from "../nn/module.ts";
import type { Optimizer, OptimizerFactory } from "../optim/optimizer.ts";
import { sgd } from "../optim/sgd.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { type Callback, type Event, warnNearMisses } from "./callback.ts";
import { type LrFindOptions, type LrFindResult, lrFind } from "./callbacks/lrFinder.ts";
import { MetricsCallback } from "./callbacks/metrics.ts";
import { Progress } from "./callbacks/progress.ts";
import { Recorder } from "./callbacks/recorder.ts";
import { TerminateOnNan } from "./callbacks/terminateOnNan.ts";
import { Dispatcher } from "./dispatch.ts";
import { type ExportOptions, exportLearner } from "./export.ts";
import * as policies from "./fitPolicies.ts";
import { getPreds, type Preds, type PredsOptions, predictFor, validate } from "./inference.ts";
import { runFit } from "./loop.ts";
import type { FitOptions, LearnerOptions, LoaderPair, LossFunction, Splitter, TensorLoader } from "./options.ts";
import { loadFrom, resumeFrom, saveTo } from "./resume.ts";
import { LoopState } from "./state.ts";
import { drive } from "./steps.ts";

export type { FitOptions, LearnerOptions, LoaderPair, LossFunction, Splitter, TensorLoader } from "./options.ts";

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
export class Learner extends LoopState {
  model: Module<readonly [Tensor], Tensor>;
  dls: LoaderPair;
  lossFunction: LossFunction;
  /** Learning rate where `fit` names none. */
  lr: number;
  readonly metrics: MetricsCallback;
  readonly recorder: Recorder;

  /** Whether `getLoss` is the one here, so that the loss function can be asked for the losses of items. */
  readonly _hasPlainLoss: boolean;
  private readonly _factory: OptimizerFactory;
  private readonly _splitter: Splitter | undefined;
  private readonly _callbacks: Callback[];
  private _temporary: readonly Callback[] = [];
  private _optimizer: Optimizer | undefined;
  private _optimized: readonly Tensor[] = [];
  private _isOptimizerChecked = false;
  private _ownDispatcher: Dispatcher | undefined;

  constructor(dls: LoaderPair, model: Module<readonly [Tensor], Tensor>, options: LearnerOptions) {
    super();
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
    this._hasPlainLoss = this.getLoss === Learner.prototype.getLoss;
    const predict = this.predict;
    if (predict !== Learner.prototype.predict) {
      // A subclass's predict() knows nothing of an argument; with one, inference calls it with x as the batch.
      this.predict = (x) => (x === undefined ? predict.call(this) : predictFor(this, x));
    }
  }

  /** All callbacks of the present or next fit, in the order they run. */
  get callbacks(): readonly Callback[] {
    return [...this._callbacks, ...this._temporary].sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
  }

  /** The optimizer; it stays from fit to fit, and is made anew when the model's parameters are others. */
  get optimizer(): Optimizer {
    if (this._isOptimizerChecked && this._optimizer !== undefined) return this._optimizer;
    this._isOptimizerChecked = this.running; // during a pass they stay the same
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
    this._dispatchTo();
    return this;
  }

  /** Takes a callback out. @returns this learner. */
  removeCallback(callback: Callback): this {
    const position = this._callbacks.indexOf(callback);
    if (position >= 0) this._callbacks.splice(position, 1);
    this._dispatchTo();
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
    const { callbacks = [], signal, resume } = options;
    await this._exclusively("fit", { callbacks, signal }, async () => {
      this.optimizer.setHyper("lr", options.lr ?? this.lr);
      this.optimizer.zeroGrad();
      Object.assign(this, { epochs, steps: 0, epoch: 0, stopReason: undefined });
      const resumed = resume === undefined ? undefined : await resumeFrom(this, resume, epochs);
      await drive(runFit(this, options, resumed));
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
    return validate(this, loader, callbacks);
  }

  /**
   * The model's predictions for all items of a loader, in the order of the dataset, with targets and losses of items.
   *
   * Runs the callbacks' pass and batch events; changes nothing, as {@link validate}.
   */
  async getPreds(options: PredsOptions = {}): Promise<Preds> {
    return getPreds(this, options);
  }

  /**
   * Writes model and optimizer to a folder, see {@link saveCheckpoint}; of what it saved there before, nothing is kept.
   *
   * @returns the path of the checkpoint.
   */
  async save(folder: string): Promise<string> {
    return saveTo(this, folder);
  }

  /** Takes over model and optimizer from a folder that {@link save} or a {@link Checkpoint} wrote. */
  async load(folder: string): Promise<void> {
    await loadFrom(this, folder);
  }

  /** Writes the model, and what it takes to use it, as plain files; see {@link loadLearner}. */
  async export(folder: string, options: ExportOptions = {}): Promise<void> {
    await exportLearner(this, folder, options);
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

  /**
   * Predictions for the current batch; subclasses may replace this. With an argument, predictions for that batch of
   * inputs: in evaluation mode, without gradients, through the callbacks' batch events, and leaving no trace.
   */
  predict(x?: Tensor): Tensor {
    return x === undefined ? this.model.forward(this._inputs) : predictFor(this, x);
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
    await this._dispatcher.publish(event);
  }

  get _dispatcher(): Dispatcher {
    this._ownDispatcher ??= new Dispatcher(this, [...this._callbacks, ...this._temporary]);
    return this._ownDispatcher;
  }

  /** Looks anew whether the model's parameters are those of the optimizer. */
  _recheckOptimizer(): void {
    this._isOptimizerChecked = false;
  }

  /** Publishes to these callbacks only, or to all again, and some events not at all. */
  _dispatchTo(
    callbacks: readonly Callback[] = [...this._callbacks, ...this._temporary],
    skipped: readonly Event[] = [],
  ): void {
    this._ownDispatcher = new Dispatcher(this, callbacks, this._ownDispatcher, skipped);
  }

  /** One run at a time, with callbacks that are there for it only, whatever happens. */
  async _exclusively(
    operation: string,
    { callbacks, signal }: { readonly callbacks: readonly Callback[]; readonly signal?: AbortSignal | undefined },
    run: () => Promise<void>,
  ): Promise<void> {
    if (this.running) throw new ArgumentError(operation, "the learner is running already; await the other call first.");
    this.running = true;
    this._lastYield = performance.now();
    try {
      callbacks.forEach(warnNearMisses);
      this._temporary = [...new Set(callbacks)].filter((callback) => !this._callbacks.includes(callback));
      this._ownDispatcher = undefined;
      this._isOptimizerChecked = false;
      this._signal = signal;
      await run();
    } finally {
      this.running = false;
      this._temporary = [];
      this._ownDispatcher = undefined;
      this._isOptimizerChecked = false;
      this._signal = undefined;
    }
  }
}

import type { Loader } from "../data/loader.ts";
import type { AnyModule } from "../nn/module.ts";
import type { OptimizerFactory } from "../optim/optimizer.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Callback } from "./callback.ts";
import type { BatchMetric, Metric } from "./metrics.ts";

/** A loss: one number from predictions and targets; asked for no reduction, one of each item where it can. */
export type LossFunction = (preds: Tensor, targets: Tensor, options?: { readonly reduction?: "none" }) => Tensor;

/** Batches of tensors: the inputs first, the targets last. */
export type TensorLoader = Loader<readonly Tensor[]>;

/** The data a learner trains and validates on. */
export interface LoaderPair {
  readonly train: TensorLoader;
  readonly valid: TensorLoader;
  /** Names of the classes by their numbers, where there are classes. */
  readonly classes?: readonly string[] | undefined;
}

/** Divides a model's parameters into groups, for learning rates of their own. */
export type Splitter = (model: AnyModule) => readonly (readonly Tensor[])[];

/** What a `Learner` is made of besides data and model. */
export interface LearnerOptions {
  readonly loss: LossFunction;
  /** Default `optim.sgd`. */
  readonly optimizer?: OptimizerFactory;
  /** Learning rate where `fit` names none. Default 0.01. */
  readonly lr?: number;
  /** Figures to gather over each pass, by name. Default none. */
  readonly metrics?: Readonly<Record<string, BatchMetric | Metric>>;
  /** Callbacks that stay. Default none; recorder, metrics and the NaN check are always there. */
  readonly callbacks?: readonly Callback[];
  /** Default one group. */
  readonly splitter?: Splitter;
  /**
   * Whether a fit shows a bar and a table: false never, true the table also where stdout is no terminal.
   * Default where there is a terminal.
   */
  readonly progress?: boolean;
}

/** Options of one `Learner.fit`. */
export interface FitOptions {
  /** Learning rate, one for all groups or one per group. Default the learner's. */
  readonly lr?: number | readonly number[];
  /** Whether to train. Default true. */
  readonly train?: boolean;
  /** Whether to validate after each training pass. Default true. */
  readonly valid?: boolean;
  /** Callbacks for this fit only. */
  readonly callbacks?: readonly Callback[];
  /** Ends the fit at the next batch boundary when aborted; `AbortSignal.timeout` and `abortOnInterrupt` make one. */
  readonly signal?: AbortSignal;
  /**
   * Goes on where the newest checkpoint in this folder stands, as if the fit had never stopped; begins at the start when
   * there is none. A fit that a callback had ended stays ended. The fit, the data and the callbacks must be the same.
   */
  readonly resume?: string;
}

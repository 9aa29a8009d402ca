import { ArgumentError } from "../backend/errors.ts";
import { DataLoader } from "../data/loader.ts";
import type { AnyModule } from "../nn/module.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import { tensor } from "../tensor/create.ts";
import { cat } from "../tensor/functions.ts";
import { getRandomState, setRandomState } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Callback, Event } from "./callback.ts";
import { itemLosses } from "./itemLosses.ts";
import type { Learner } from "./learner.ts";
import { runBatch, runPass } from "./loop.ts";
import type { TensorLoader } from "./options.ts";
import { restingState } from "./resume.ts";
import { drive } from "./steps.ts";

/** Options of {@link Learner.getPreds}. */
export interface PredsOptions {
  /** Default the validation loader. */
  readonly loader?: TensorLoader;
  /** Whether to give the loss of each item too. Default false. */
  readonly withLoss?: boolean;
  /** Callbacks for this run only. */
  readonly callbacks?: readonly Callback[];
}

/** What {@link Learner.getPreds} gives; the first axis runs over the items. */
export interface Preds {
  readonly preds: Tensor;
  /** Undefined where batches hold inputs only. */
  readonly targets: Tensor | undefined;
  /** Shapes: `[n]`. Undefined unless asked for. */
  readonly losses: Tensor | undefined;
}

/** See `Learner.validate`. */
export async function validate(
  learn: Learner,
  loader: TensorLoader,
  callbacks: readonly Callback[],
): Promise<Record<string, number>> {
  let result: Record<string, number> = {};
  await learn._exclusively("validate", { callbacks }, async () => {
    const restore = withoutTrace(learn, [learn.recorder], loader);
    const metrics = learn.metrics.state();
    try {
      await drive(runPass(learn, loader, false));
      result = learn.metrics.values();
    } finally {
      learn.metrics.loadState(metrics);
      restore();
    }
  });
  return result;
}

/** See `Learner.getPreds`. */
export async function getPreds(learn: Learner, options: PredsOptions = {}): Promise<Preds> {
  const random = getRandomState();
  try {
    return await gather(learn, options);
  } finally {
    setRandomState(random);
  }
}

/** As {@link getPreds}, but random draws, where there are any, are used up. */
export async function gather(learn: Learner, options: PredsOptions): Promise<Preds> {
  const { loader = learn.dls.valid, withLoss = false, callbacks = [] } = options;
  const collector = new Collector(withLoss);
  const order = orderOf(loader);
  await learn._exclusively("getPreds", { callbacks: [...callbacks, collector] }, async () => {
    const restore = withoutTrace(learn, [learn.recorder, learn.metrics], loader);
    let after = getRandomState();
    learn._hasLoss = withLoss;
    try {
      await drive(runPass(learn, loader, false));
      after = getRandomState();
    } finally {
      learn._hasLoss = true;
      restore();
      setRandomState(after);
    }
  });
  return collector.result(order);
}

/** See `Learner.predict`. */
export function predictFor(learn: Learner, x: Tensor): Tensor {
  const restore = withoutTrace(learn, [learn.recorder, learn.metrics], undefined, ["afterBatch"]);
  learn._hasLoss = false;
  learn.training = false;
  learn.model.eval();
  try {
    const running = drive(runBatch(learn, [x]));
    if (running instanceof Promise) {
      running.catch(() => undefined); // the refusal below is the one error to report
      throw new ArgumentError("predict", "a callback's event is asynchronous; use getPreds instead.");
    }
    return learn.preds.detach();
  } finally {
    learn._hasLoss = true;
    restore();
  }
}

/** Leaves some callbacks out, and gives the function that puts back whatever a run without training changes. */
function withoutTrace(
  learn: Learner,
  excluded: readonly Callback[],
  loader?: TensorLoader,
  skipped: readonly Event[] = [],
): () => void {
  const { _batch, _xb, _yb, _preds, _loss, training, epoch, iteration, iterations } = learn;
  const random = getRandomState();
  const resetModes = modesOf(learn.model);
  const place = loader && restingState(loader);
  const callbacks = learn.callbacks;
  learn._dispatchTo(
    callbacks.filter((callback) => !excluded.includes(callback)),
    skipped,
  );
  return () => {
    Object.assign(learn, { _batch, _xb, _yb, _preds, _loss, training, epoch, iteration, iterations });
    setRandomState(random);
    resetModes();
    if (place !== undefined) loader?.setState(place);
    learn._dispatchTo();
  };
}

/** Module by module, since some may be in evaluation mode on purpose. */
function modesOf(model: AnyModule): () => void {
  const modes = model.modules().map((module) => ({ module, training: module.training }));
  return () => {
    for (const { module, training } of modes) module.training = training;
  };
}

/** Keeps what each batch gave. */
class Collector implements Callback {
  readonly order = Number.POSITIVE_INFINITY;
  readonly name = "getPreds";
  private readonly _withLoss: boolean;
  private readonly _preds: Tensor[] = [];
  private readonly _targets: Tensor[] = [];
  private readonly _losses: Tensor[] = [];

  constructor(withLoss: boolean) {
    this._withLoss = withLoss;
  }

  afterBatch(learn: Learner): void {
    this._preds.push(learn.preds.detach());
    if (learn.batch.length > 1) this._targets.push(learn.yb);
    if (this._withLoss) this._losses.push(noGrad(() => itemLosses(learn)));
  }

  /** Everything in one, put in order where the loader had it in another. */
  result(order: readonly number[] | undefined): Preds {
    const join = (parts: readonly Tensor[]): Tensor | undefined => {
      if (parts.length === 0) return undefined;
      const all = parts.length === 1 ? parts[0] : cat(parts, 0);
      if (order === undefined || all.shape[0] > order.length) return all;
      return all.indexSelect(0, ranks(order.slice(0, all.shape[0]), all.device));
    };
    const preds = join(this._preds);
    if (preds === undefined) throw new ArgumentError("getPreds", "the loader gave no batches.");
    return { preds, targets: join(this._targets), losses: join(this._losses) };
  }
}

/** The items' numbers in the order the loader will take them; undefined where that is their own order. */
function orderOf(loader: TensorLoader): readonly number[] | undefined {
  if (!(loader instanceof DataLoader)) return undefined;
  const order = [...loader.sampler.indices(restingState(loader).epoch)];
  return order.every((item, i) => item === i) ? undefined : order;
}

/** Positions that bring items into the order of their numbers. */
function ranks(order: readonly number[], device: string): Tensor {
  const positions = order.map((_, i) => i).sort((a, b) => order[a] - order[b]);
  return tensor(positions, { dtype: "int32", device });
}

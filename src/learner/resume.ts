import { ArgumentError, DataError } from "../backend/errors.ts";
import type { LoaderState } from "../data/loader.ts";
import { type CheckpointContent, type LoadedCheckpoint, loadCheckpoint, saveCheckpoint } from "../io/checkpoint.ts";
import { isRecord, type Json } from "../io/json.ts";
import type { Hypers } from "../optim/rule.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import { getRandomState, type RandomState, setRandomState } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { callbackName } from "./callback.ts";
import type { Learner } from "./learner.ts";
import type { TensorLoader } from "./options.ts";

/** Nothing is lost in reading, whatever device the model is on. */
const options = { keepFloat64: true, device: "js" } as const;

/** Where a fit goes on: before an epoch, in its training pass, or before its validation. */
export interface Point {
  epoch: number;
  stage: "epoch" | "training" | "validation";
  /** Training batches of the epoch that are done. */
  iteration: number;
  /** The random state there, where it is not the present one. */
  random: RandomState | undefined;
}

/** A checkpoint that fits the learner, and how to take it over. */
export interface Resumed {
  readonly point: Readonly<Point>;
  /** Why the fit had ended early, when a callback had decided so. */
  readonly ended: string | undefined;
  /** Puts everything back; called once the events before the point have passed, whose effects it overwrites. */
  restore(): void;
}

/** What a loader gives next when its present epoch, if it is in one, is given up. */
export function restingState(loader: TensorLoader): LoaderState {
  const { seed, epoch, position } = loader.state();
  return { seed, epoch: position === 0 ? epoch : epoch + 1, position: 0 };
}

/** All that is needed to go on from the last batch boundary. */
export function checkpointOf(
  learn: Learner,
  { ended }: { readonly ended?: string | undefined } = {},
): CheckpointContent {
  const { _point: point, optimizer, dls } = learn;
  const { groups, steps, tensors } = optimizer.stateDict();
  const training = point.stage === "training";
  return {
    model: learn.model.stateDict(),
    optimizer: new Map([...tensors, ...gradientsOf(learn), ...callbackTensorsOf(learn)]),
    state: {
      point: { epoch: point.epoch, stage: point.stage, iteration: point.iteration },
      ended: ended ?? null,
      epochs: learn.epochs,
      steps: learn.steps,
      random: { ...(point.random ?? getRandomState()) },
      optimizer: { groups: groups.map((hypers) => ({ ...hypers })), steps },
      loaders: {
        train: { ...(training ? { ...dls.train.state(), position: point.iteration } : restingState(dls.train)) },
        valid: { ...restingState(dls.valid) },
      },
      sizes: sizesOf(learn),
      callbacks: learn.callbacks.map((callback) => ({
        name: callbackName(callback),
        watches: callback.watches === true,
        state: callback.state?.() ?? null,
      })),
    },
  };
}

/**
 * The newest whole checkpoint of a folder, checked against the learner; its weights are already in the model.
 *
 * @throws {@link ArgumentError} when the fit, the data or the callbacks are others than those of the checkpoint.
 */
export async function resumeFrom(learn: Learner, folder: string, epochs: number): Promise<Resumed | undefined> {
  const checkpoint = await loadCheckpoint(folder, options);
  if (checkpoint === undefined) return undefined;
  const state = recordOf(checkpoint, "state", checkpoint.state);
  const { epochs: before } = numbersOf(checkpoint, "state", state, ["epochs"]);
  if (before !== epochs) {
    throw new ArgumentError(
      "fit",
      `"${checkpoint.path}" is of a fit of ${before} epochs, not ${epochs}; schedules would differ. Call fit(${before}), or load() the weights and start another fit.`,
    );
  }
  check(checkpoint.path, "the data", state["sizes"], sizesOf(learn));
  const saved = listOf(checkpoint, "callbacks", state["callbacks"]).map((entry) =>
    recordOf(checkpoint, "callback", entry),
  );
  const names = saved.filter(({ watches }) => watches !== true).map(({ name }) => name);
  const present = learn.callbacks.filter(({ watches }) => watches !== true).map(callbackName);
  check(checkpoint.path, "the callbacks", names, present);
  const point = pointOf(checkpoint, state["point"]);
  loadWeights(learn, checkpoint);
  return {
    point,
    ended: typeof state["ended"] === "string" ? state["ended"] : undefined,
    restore: () => {
      loadWeights(learn, checkpoint);
      const loaders = recordOf(checkpoint, "loaders", state["loaders"]);
      learn.dls.train.setState(numbersOf(checkpoint, "train loader", loaders["train"], ["seed", "epoch", "position"]));
      learn.dls.valid.setState(numbersOf(checkpoint, "valid loader", loaders["valid"], ["seed", "epoch", "position"]));
      restoreCallbacks(learn, saved, checkpoint.optimizer);
      learn.steps = Number(state["steps"]);
      setRandomState(numbersOf(checkpoint, "random", state["random"], ["seed", "counter"]));
    },
  };
}

/** See `Learner.save`. */
export async function saveTo(learn: Learner, folder: string): Promise<string> {
  return saveCheckpoint(folder, checkpointOf(learn), { keep: 1 });
}

/** See `Learner.load`. */
export async function loadFrom(learn: Learner, folder: string): Promise<void> {
  if (learn.running) throw new ArgumentError("load", "the learner is running; await the fit first.");
  const checkpoint = await loadCheckpoint(folder, options);
  if (checkpoint === undefined) throw new DataError("load", `there is no checkpoint in "${folder}".`);
  loadWeights(learn, checkpoint);
}

/** Copies a checkpoint's model and optimizer into the learner's. */
function loadWeights(learn: Learner, checkpoint: LoadedCheckpoint): void {
  const { model, optimizer } = learn;
  const state = recordOf(checkpoint, "state", checkpoint.state);
  const { groups, steps } = recordOf(checkpoint, "optimizer", state["optimizer"]);
  const own = model.stateDict();
  const weights = [...checkpoint.model].map(([name, x]): [string, Tensor] => [
    name,
    x.to(own.get(name)?.device ?? "js"),
  ]);
  model.loadStateDict(new Map(weights));
  optimizer.loadStateDict({
    groups: listOf(checkpoint, "groups", groups).map((hypers) => hypersOf(checkpoint, hypers)),
    steps: listOf(checkpoint, "steps", steps).map(Number),
    tensors: new Map([...checkpoint.optimizer].filter(([name]) => /^\d/.test(name))),
  });
  const params = optimizer.paramGroups.flatMap((group) => group.params);
  params.forEach((p, i) => {
    const gradient = checkpoint.optimizer.get(gradientName(i));
    p.grad = gradient === undefined ? undefined : noGrad(() => gradient.to(p.device)._copyLike(p));
  });
}

/** Gradients that are kept across the batch boundary, as gradient accumulation does. */
function gradientsOf({ optimizer }: Learner): [string, Tensor][] {
  const params = optimizer.paramGroups.flatMap((group) => group.params);
  return params.flatMap((p, i): [string, Tensor][] =>
    p.grad === undefined ? [] : [[gradientName(i), p.grad.detach()]],
  );
}

function gradientName(position: number): string {
  return `gradient.${position}`;
}

/** What callbacks keep in tensors, by the position of the callback. */
function callbackTensorsOf({ callbacks }: Learner): [string, Tensor][] {
  return callbacks.flatMap((callback, i) =>
    [...(callback.stateTensors?.() ?? [])].map(([name, x]): [string, Tensor] => [`callback.${i}.${name}`, x.detach()]),
  );
}

/** Gives callbacks their states back, by name and, among those of one name, in order. */
function restoreCallbacks(
  learn: Learner,
  saved: readonly { readonly [key: string]: Json }[],
  tensors: ReadonlyMap<string, Tensor>,
): void {
  const left = saved.map(({ name, state }, i) => ({ name, state, prefix: `callback.${i}.` }));
  for (const callback of learn.callbacks) {
    const position = left.findIndex(({ name }) => name === callbackName(callback));
    if (position < 0) continue;
    const [{ state, prefix }] = left.splice(position, 1);
    if (state !== null) callback.loadState?.(state);
    const own = [...tensors].filter(([name]) => name.startsWith(prefix));
    callback.loadStateTensors?.(new Map(own.map(([name, x]) => [name.slice(prefix.length), x])));
  }
}

function sizesOf({ dls: { train, valid } }: Learner): { readonly [key: string]: Json } {
  const sizes = (loader: TensorLoader): Json => ({
    items: loader.dataset?.length ?? null,
    batches: loader.length,
    batchSize: "batchSize" in loader && typeof loader.batchSize === "number" ? loader.batchSize : null,
  });
  return { train: sizes(train), valid: sizes(valid) };
}

function check(path: string, what: string, saved: Json | undefined, present: Json): void {
  const [before, now] = [JSON.stringify(saved), JSON.stringify(present)];
  if (before === now) return;
  throw new ArgumentError(
    "fit",
    `${what} are not those of the checkpoint "${path}": it has ${before}, the learner ${now}. Resume with the same, or load() the weights and start another fit.`,
  );
}

function pointOf(checkpoint: LoadedCheckpoint, saved: Json | undefined): Point {
  const { epoch, iteration } = numbersOf(checkpoint, "point", saved, ["epoch", "iteration"]);
  const { stage } = recordOf(checkpoint, "point", saved);
  if (stage !== "epoch" && stage !== "training" && stage !== "validation") throw damaged(checkpoint, "point");
  return { epoch, stage, iteration, random: undefined };
}

function hypersOf(checkpoint: LoadedCheckpoint, saved: Json): Hypers {
  return numbersOf(checkpoint, "hyper-parameters", saved, Object.keys(recordOf(checkpoint, "hyper-parameters", saved)));
}

function numbersOf<Key extends string>(
  checkpoint: LoadedCheckpoint,
  what: string,
  saved: Json | undefined,
  keys: readonly Key[],
): Record<Key, number>;
function numbersOf(
  checkpoint: LoadedCheckpoint,
  what: string,
  saved: Json | undefined,
  keys: readonly string[],
): Record<string, number> {
  const record = recordOf(checkpoint, what, saved);
  return Object.fromEntries(
    keys.map((key) => {
      const value = record[key];
      if (typeof value !== "number") throw damaged(checkpoint, `${what}.${key}`);
      return [key, value];
    }),
  );
}

function recordOf(
  checkpoint: LoadedCheckpoint,
  what: string,
  saved: Json | undefined,
): { readonly [key: string]: Json } {
  if (!isRecord(saved)) throw damaged(checkpoint, what);
  return saved;
}

function listOf(checkpoint: LoadedCheckpoint, what: string, saved: Json | undefined): readonly Json[] {
  if (!Array.isArray(saved)) throw damaged(checkpoint, what);
  return saved;
}

function damaged({ path }: LoadedCheckpoint, what: string): DataError {
  return new DataError("fit", `"${path}" is no checkpoint of a fit: its state has no ${what}.`);
}

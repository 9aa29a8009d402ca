import { ArgumentError } from "../backend/errors.ts";
import { Buffer, Parameter } from "../nn/parameter.ts";
import { schedCos, schedNo } from "../optim/schedules/annealers.ts";
import { combineScheds, createPhases } from "../optim/schedules/phases.ts";
import { OneCycle, type OneCycleOptions } from "./callbacks/oneCycle.ts";
import { ParamScheduler } from "./callbacks/paramScheduler.ts";
import type { Learner } from "./learner.ts";
import type { FitOptions } from "./options.ts";

/** Options of {@link Learner.fitOneCycle}: those of a fit and of the cycle, whose top is `lr`. */
export interface FitOneCycleOptions extends FitOptions, Omit<OneCycleOptions, "lrMax"> {}

/** Options of {@link Learner.fitFlatCos}. */
export interface FitFlatCosOptions extends FitOptions {
  /** Share of the fit at the full learning rate, 0 to 1. Default 0.75. */
  readonly pctStart?: number;
  /** The fit ends at `lr / finalDiv`, above 0. Default 1e5. */
  readonly finalDiv?: number;
}

/** Options of {@link Learner.fineTune}. */
export interface FineTuneOptions extends Omit<FitOneCycleOptions, "lr"> {
  /** Learning rate of the last group while the others are frozen; half of it afterwards. Default the learner's. */
  readonly baseLr?: number;
  /** Epochs with all groups but the last frozen, from 0. Default 1. */
  readonly freezeEpochs?: number;
  /** How many times smaller the first group's rate is than the last one's. Default 100. */
  readonly lrMult?: number;
}

/** See {@link Learner.fitOneCycle}. */
export async function fitOneCycle(learn: Learner, epochs: number, options: FitOneCycleOptions = {}): Promise<void> {
  const { pctStart, div, finalDiv, momentum, ...fit } = options;
  const lrMax = fit.lr ?? learn.lr;
  const cycle = new OneCycle({
    lrMax,
    ...(pctStart === undefined ? {} : { pctStart }),
    ...(div === undefined ? {} : { div }),
    ...(finalDiv === undefined ? {} : { finalDiv }),
    ...(momentum === undefined ? {} : { momentum }),
  });
  await learn.fit(epochs, { ...fit, callbacks: [cycle, ...(fit.callbacks ?? [])] });
}

/** See {@link Learner.fitFlatCos}. */
export async function fitFlatCos(learn: Learner, epochs: number, options: FitFlatCosOptions = {}): Promise<void> {
  const { pctStart = 0.75, finalDiv = 1e5, ...fit } = options;
  if (!(finalDiv > 0)) throw new ArgumentError("fitFlatCos", `finalDiv must be above 0, got ${finalDiv}.`);
  const top = fit.lr ?? learn.lr;
  const phases = createPhases(pctStart);
  const flatCos = (lr: number) => combineScheds(phases, [schedNo(lr), schedCos(lr, lr / finalDiv)]);
  const schedule = new ParamScheduler({ lr: typeof top === "number" ? flatCos(top) : top.map(flatCos) });
  await learn.fit(epochs, { ...fit, callbacks: [schedule, ...(fit.callbacks ?? [])] });
}

/** See {@link Learner.fineTune}. */
export async function fineTune(learn: Learner, epochs: number, options: FineTuneOptions = {}): Promise<void> {
  const { baseLr = learn.lr, freezeEpochs = 1, lrMult = 100, ...rest } = options;
  if (!(lrMult > 0)) throw new ArgumentError("fineTune", `lrMult must be above 0, got ${lrMult}.`);
  freezeTo(learn, -1);
  try {
    const groups = learn.optimizer.paramGroups.length;
    // The frozen groups' rate matters where batch-normalisation layers among them go on training.
    const frozen = Array.from({ length: groups }, (_, i) => (i === groups - 1 ? baseLr : baseLr / 10));
    await fitOneCycle(learn, freezeEpochs, { ...rest, lr: frozen, pctStart: 0.99 });
  } finally {
    freezeTo(learn, 0);
  }
  if (learn.stopReason !== undefined) return;
  const lr = geometric(baseLr / 2 / lrMult, baseLr / 2, learn.optimizer.paramGroups.length);
  await fitOneCycle(learn, epochs, { div: 5, ...rest, lr });
}

/** See {@link Learner.freezeTo}. */
export function freezeTo(learn: Learner, count: number): void {
  const groups = learn.optimizer.paramGroups;
  if (!Number.isInteger(count) || Math.abs(count) > groups.length) {
    throw new ArgumentError("freezeTo", `takes a number from −${groups.length} to ${groups.length}, got ${count}.`);
  }
  const frozen = count < 0 ? groups.length + count : count;
  const adapting = adaptingParameters(learn);
  groups.forEach(({ params }, i) => {
    for (const p of params) p.requiresGrad = i >= frozen || adapting.has(p);
  });
  learn.resetOptimizer();
}

/** Parameters of layers that keep running statistics, such as batch normalisation: they adapt also while frozen. */
function adaptingParameters({ model }: Learner): Set<unknown> {
  const result = new Set<unknown>();
  for (const module of model.modules()) {
    const members = [...module.members()].map(([, member]) => member);
    if (!members.some((member) => member instanceof Buffer)) continue;
    for (const member of members) if (member instanceof Parameter) result.add(member);
  }
  return result;
}

/** `count` values from start to end with the same factor between them; the end alone for one. */
function geometric(start: number, end: number, count: number): number[] {
  if (count === 1) return [end];
  return Array.from({ length: count }, (_, i) => start * (end / start) ** (i / (count - 1)));
}

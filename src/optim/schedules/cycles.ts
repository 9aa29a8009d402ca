import { ArgumentError } from "../../backend/errors.ts";
import { checkFinite, type Schedule, schedCos, schedLin } from "./annealers.ts";
import { combineScheds, createPhases } from "./phases.ts";

/**
 * The two halves of a cycle, to be combined: a cosine from `start` to `high`, and one from `high` to `end`.
 *
 * @see fastai: `cos_1cycle_anneal`.
 * @example
 * const sched = combineScheds([0.3, 0.7], cos1cycleAnneal(0.1, 1, 0));
 * sched(0.3); // => 1
 */
export function cos1cycleAnneal(start: number, high: number, end: number): [Schedule, Schedule] {
  return [schedCos(start, high), schedCos(high, end)];
}

/**
 * One cycle: a cosine from `start` to `high`, then one to `end`.
 *
 * @param options.pctStart - Share of the training until `high`, 0 to 1. Default 0.3.
 * @see Smith 2018, section 4.1, https://arxiv.org/abs/1803.09820. Differs: cosines in the place of lines, as fastai.
 * @example
 * [0, 0.3, 1].map(cos1cycle(0.1, 1, 0)); // => [0.1, 1, 0]
 */
export function cos1cycle(
  start: number,
  high: number,
  end: number,
  { pctStart = 0.3 }: { readonly pctStart?: number } = {},
): Schedule {
  return combineScheds(createPhases(pctStart), cos1cycleAnneal(start, high, end));
}

/**
 * Cosines from `high` to `low`, each starting anew at `high`; each cycle is `factor` times as long as the one before.
 *
 * @param options.cycles - Number of cycles, from 1. Default 1.
 * @param options.factor - Above 0. Default 1; the paper has 2.
 * @see Loshchilov and Hutter 2016, section 3, https://arxiv.org/abs/1608.03983; PyTorch: `CosineAnnealingWarmRestarts`.
 * @example
 * [0, 0.25, 0.5].map(schedRestarts(1, 0, { cycles: 2 })); // => [1, 0.5, 1]
 */
export function schedRestarts(
  high: number,
  low: number,
  { cycles = 1, factor = 1 }: { readonly cycles?: number; readonly factor?: number } = {},
): Schedule {
  if (!Number.isInteger(cycles) || cycles < 1 || !(factor > 0 && factor < Number.POSITIVE_INFINITY)) {
    throw new ArgumentError("schedRestarts", `needs cycles from 1 and a factor above 0, got ${cycles} and ${factor}.`);
  }
  const lengths = Array.from({ length: cycles }, (_, i) => factor ** i);
  const total = lengths.reduce((sum, length) => sum + length, 0);
  const cycle = schedCos(high, low);
  return combineScheds(
    lengths.map((length) => length / total),
    lengths.map(() => cycle),
  );
}

/**
 * A line from `start` to where another schedule begins, then that schedule in the time left.
 *
 * @param share - Of the training, 0 to 1.
 * @see Goyal et al. 2017, section 2.2, https://arxiv.org/abs/1706.02677
 * @example
 * const sched = warmUp(0.1, 0, schedCos(1, 0));
 * [0, 0.05, 0.1, 1].map(sched); // => [0, 0.5, 1, 0]
 */
export function warmUp(share: number, start: number, schedule: Schedule): Schedule {
  return combineScheds(createPhases(share), [schedLin(start, schedule(0)), schedule]);
}

/**
 * Stairs: the value is multiplied by `gamma` after each of `steps` equal parts but the last.
 *
 * @param options.steps - Number of parts, from 1. Default 3.
 * @param options.gamma - Above 0. Default 0.1.
 * @see PyTorch: `StepLR`. Differs: stairs are shares of the training, not numbers of epochs.
 * @example
 * [0, 0.4, 0.8].map(schedStep(8, { steps: 3, gamma: 0.5 })); // => [8, 4, 2]
 */
export function schedStep(
  start: number,
  { steps = 3, gamma = 0.1 }: { readonly steps?: number; readonly gamma?: number } = {},
): Schedule {
  if (!Number.isInteger(steps) || steps < 1) {
    throw new ArgumentError("schedStep", `steps must be a whole number from 1, got ${steps}.`);
  }
  return schedMultiStep(start, { at: Array.from({ length: steps - 1 }, (_, i) => (i + 1) / steps), gamma });
}

/**
 * Stairs of uneven width: the value is multiplied by `gamma` at each of the given positions.
 *
 * @param options.at - Positions, 0 to 1.
 * @param options.gamma - Above 0. Default 0.1.
 * @see PyTorch: `MultiStepLR`. Differs: positions are shares of the training, not epochs.
 * @example
 * [0, 0.5, 0.9].map(schedMultiStep(8, { at: [0.5, 0.75], gamma: 0.5 })); // => [8, 4, 2]
 */
export function schedMultiStep(
  start: number,
  { at, gamma = 0.1 }: { readonly at: readonly number[]; readonly gamma?: number },
): Schedule {
  checkFinite("schedMultiStep", { start, gamma });
  if (!(gamma > 0) || !at.every((place) => place >= 0 && place <= 1)) {
    throw new ArgumentError("schedMultiStep", `needs gamma above 0 and positions 0 to 1, got ${gamma} and [${at}].`);
  }
  return (position) => start * gamma ** at.filter((place) => position >= place).length;
}

import { ArgumentError } from "../../backend/errors.ts";
import type { Schedule } from "./annealers.ts";

/** How far the fractions of phases may be from adding up to 1: decimal fractions seldom do so exactly. */
const tolerance = 1e-9;

/**
 * Fractions of the training for phases, the last one being what is left.
 *
 * @param fractions - Those before the last, one or several, from 0, together at most 1.
 * @see fastai: `create_phases`.
 * @example
 * createPhases(0.3); // => [0.3, 0.7]
 * createPhases([0.3, 0.2]); // => [0.3, 0.2, 0.5]
 */
export function createPhases(fractions: number | readonly number[]): number[] {
  const list = typeof fractions === "number" ? [fractions] : [...fractions];
  const sum = list.reduce((total, fraction) => total + fraction, 0);
  if (!list.every((fraction) => fraction >= 0) || !(sum <= 1 + tolerance)) {
    throw new ArgumentError("createPhases", `needs fractions from 0 that add up to at most 1, got ${list.join(", ")}.`);
  }
  return [...list, Math.max(0, 1 - sum)];
}

/**
 * Schedules one after another, any number of them; each runs from its position 0 to its position 1 within its phase.
 *
 * @param fractions - Share of the training of each phase, from 0; they add up to 1.
 * @throws {@link ArgumentError} when the fractions do not add up to 1, or are not as many as the schedules.
 * @see fastai: `combine_scheds`. Differs: right for more than two phases, and for fractions such as 0.7, 0.2, 0.1.
 * @example
 * const sched = combineScheds([0.3, 0.7], [schedCos(0.3, 0.6), schedCos(0.6, 0.2)]);
 * [0, 0.3, 1].map(sched); // => [0.3, 0.6, 0.2]
 */
export function combineScheds(fractions: readonly number[], schedules: readonly Schedule[]): Schedule {
  if (fractions.length !== schedules.length || fractions.length === 0) {
    throw new ArgumentError("combineScheds", `got ${fractions.length} fractions for ${schedules.length} schedules.`);
  }
  const sum = fractions.reduce((total, fraction) => total + fraction, 0);
  if (!fractions.every((fraction) => fraction >= 0) || !(Math.abs(sum - 1) <= tolerance)) {
    throw new ArgumentError(
      "combineScheds",
      `the fractions ${fractions.join(", ")} add up to ${sum}. They must be from 0 and add up to 1.`,
    );
  }
  const starts: number[] = [];
  let start = 0;
  for (const fraction of fractions) {
    starts.push(start);
    start += fraction;
  }
  const last = fractions.findLastIndex((fraction) => fraction > 0);
  return (position) => {
    let phase = last;
    while (phase > 0 && (position < starts[phase] || fractions[phase] === 0)) phase--;
    return schedules[phase](Math.min(1, Math.max(0, (position - starts[phase]) / fractions[phase])));
  };
}

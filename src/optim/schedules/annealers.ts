import { ArgumentError } from "../../backend/errors.ts";

/** The value of a hyper-parameter at a position of training, 0 at the start to 1 at the end. */
export type Schedule = (position: number) => number;

/**
 * A straight line: `start + position·(end − start)`.
 *
 * @throws {@link ArgumentError} when a value is not finite, as all schedules do.
 * @see fastai: `sched_lin`.
 * @example
 * schedLin(1, 2)(0.3); // => 1.3
 */
export function schedLin(start: number, end: number): Schedule {
  checkFinite("schedLin", { start, end });
  return (position) => start + position * (end - start);
}

/**
 * Half a cosine, slow at both ends: `start + (1 + cos(π·(1 − position)))·(end − start)/2`.
 *
 * @see Loshchilov and Hutter 2016, section 3, https://arxiv.org/abs/1608.03983; fastai: `sched_cos`.
 * @example
 * [0, 0.5, 1].map(schedCos(1, 3)); // => [1, 2, 3]
 */
export function schedCos(start: number, end: number): Schedule {
  checkFinite("schedCos", { start, end });
  return (position) => start + ((1 + Math.cos(Math.PI * (1 - position))) * (end - start)) / 2;
}

/**
 * The same factor at every step: `start·(end/start)^position`.
 *
 * @throws {@link ArgumentError} when a value is 0 or their signs differ: no factor leads from one to the other.
 * @see fastai: `sched_exp`.
 * @example
 * [0, 0.5, 1].map(schedExp(1, 100)); // => [1, 10, 100]
 */
export function schedExp(start: number, end: number): Schedule {
  checkFinite("schedExp", { start, end });
  if (!(end * start > 0)) {
    throw new ArgumentError("schedExp", `no factor leads from ${start} to ${end}. Give two values above 0.`);
  }
  return (position) => start * (end / start) ** position;
}

/**
 * No change: `start` throughout.
 *
 * @param _end - Ignored; it is there so that all annealers are called alike.
 * @see fastai: `sched_no`.
 * @example
 * schedNo(0.1)(0.7); // => 0.1
 */
export function schedNo(start: number, _end: number = start): Schedule {
  checkFinite("schedNo", { start });
  return () => start;
}

/**
 * A power of the position: `start + position^power·(end − start)`.
 *
 * @param options.power - Above 0; below 1 the change comes early, above 1 late. Default 2.
 * @see fastai: `SchedPoly`.
 * @example
 * schedPoly(1, 0, { power: 2 })(0.5); // => 0.75
 */
export function schedPoly(start: number, end: number, { power = 2 }: { readonly power?: number } = {}): Schedule {
  checkFinite("schedPoly", { start, end, power });
  if (power <= 0) throw new ArgumentError("schedPoly", `power must be above 0, got ${power}.`);
  return (position) => start + position ** power * (end - start);
}

/** @throws {@link ArgumentError} naming the first value that is not finite. */
export function checkFinite(operation: string, values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Number.isFinite(value)) throw new ArgumentError(operation, `${name} must be a finite number, got ${value}.`);
  }
}

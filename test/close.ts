import type { Tensor } from "../src/tensor/index.ts";

/** How near two numbers must be: |a − e| ≤ atol + rtol·|e|. */
export interface Tolerance {
  readonly rtol?: number;
  readonly atol?: number;
}

/** Numbers of a tensor or a list, in row-major order. */
export type Numbers = Tensor | ArrayLike<number>;

/**
 * Throws unless every number is near its counterpart; NaN equals NaN and an infinity itself only.
 * The message names the worst place, so that a failing test says what went wrong where.
 */
export function expectClose(actual: Numbers, expected: Numbers, { rtol = 1e-5, atol = 1e-6 }: Tolerance = {}): void {
  const [a, e] = [numbersOf(actual), numbersOf(expected)];
  if (a.length !== e.length) throw new Error(`${a.length} numbers where ${e.length} were expected`);
  let worst = -1;
  let excess = 0;
  let wrong = 0;
  for (let i = 0; i < e.length; i++) {
    const over = distance(a[i], e[i]) - (Number.isFinite(e[i]) ? atol + rtol * Math.abs(e[i]) : 0);
    if (!(over > 0)) continue;
    wrong++;
    if (worst < 0 || over > excess) [worst, excess] = [i, over];
  }
  if (worst < 0) return;
  throw new Error(
    `${wrong} of ${e.length} numbers differ, worst at ${placeOf(worst, actual, expected)}: ` +
      `${a[worst]} instead of ${e[worst]} (off by ${distance(a[worst], e[worst])}, rtol ${rtol}, atol ${atol})`,
  );
}

/** Throws unless two tensors have the same shape, dtype and bits. */
export function expectSame(actual: Tensor, expected: Tensor): void {
  if (actual.shape.join() !== expected.shape.join() || actual.dtype !== expected.dtype) {
    throw new Error(`${actual.dtype} [${actual.shape}] instead of ${expected.dtype} [${expected.shape}]`);
  }
  const [a, e] = [numbersOf(actual), numbersOf(expected)];
  for (let i = 0; i < e.length; i++) {
    if (!Object.is(a[i], e[i])) throw new Error(`at ${placeOf(i, actual, expected)}: ${a[i]} instead of ${e[i]}`);
  }
}

function numbersOf(x: Numbers): ArrayLike<number> {
  return "toTypedArray" in x ? x.toTypedArray() : x;
}

function distance(a: number, e: number): number {
  if (Object.is(a, e) || a === e) return 0;
  const d = Math.abs(a - e);
  return Number.isNaN(d) ? Number.POSITIVE_INFINITY : d;
}

/** A position as indices, where one side knows its shape. */
function placeOf(position: number, ...sides: readonly Numbers[]): string {
  for (const side of sides) {
    if (!("toTypedArray" in side)) continue;
    const place: number[] = [];
    let rest = position;
    for (const size of [...side.shape].reverse()) {
      place.unshift(rest % size);
      rest = Math.floor(rest / size);
    }
    return `[${place}]`;
  }
  return `[${position}]`;
}

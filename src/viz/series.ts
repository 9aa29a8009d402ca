/** Plain numbers: an array or a typed array. */
export type Numbers = ArrayLike<number>;

/** A point of a line; `y` is null where the value was not a number, which draws a gap. */
export interface Point {
  x: number;
  y: number | null;
}

export interface SeriesOptions {
  /** Horizontal positions. Default 0, 1, 2, … */
  x?: Numbers;
  /** Keep values above 0 only, for a logarithmic axis. Default false. */
  positive?: boolean;
  /** Largest number of points returned. Default 2,000. */
  limit?: number;
}

/**
 * Points of a line, thinned out when there are more than `limit`.
 *
 * Thinning keeps the smallest and the largest value of each of `limit / 2` equal buckets, so that a spike of one step
 * stays visible. NaN and infinities become gaps, except inside a bucket that has numbers.
 *
 * @example
 * linePoints([1, Number.NaN, 3]); // => [{ x: 0, y: 1 }, { x: 1, y: null }, { x: 2, y: 3 }]
 */
export function linePoints(y: Numbers, { x, positive = false, limit = 2000 }: SeriesOptions = {}): Point[] {
  const point = (i: number): Point => ({ x: x ? x[i] : i, y: isShown(y[i], positive) ? y[i] : null });
  const count = x ? Math.min(x.length, y.length) : y.length;
  if (count <= limit) return Array.from({ length: count }, (_, i) => point(i)).filter((p) => Number.isFinite(p.x));
  const buckets = Math.max(1, Math.floor(limit / 2));
  const points: Point[] = [];
  for (let b = 0; b < buckets; b++) {
    const from = Math.floor((b * count) / buckets);
    const to = Math.floor(((b + 1) * count) / buckets);
    for (const i of extremes(y, from, to, positive)) points.push(point(i));
  }
  return points.filter((p) => Number.isFinite(p.x));
}

/**
 * Exponentially weighted average, corrected for its start at 0, as fastai's recorder smooths the loss.
 *
 * A value that is not finite is left out of the average and yields NaN at its place.
 *
 * @param beta - Weight of the past, 0 (no smoothing) to below 1.
 */
export function smooth(values: Numbers, beta: number): Float64Array {
  const result = new Float64Array(values.length);
  let sum = 0;
  let weight = 0;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      result[i] = Number.NaN;
      continue;
    }
    sum = beta * sum + (1 - beta) * values[i];
    weight = beta * weight + (1 - beta);
    result[i] = sum / weight;
  }
  return result;
}

/** Smallest and largest finite value, or undefined when there is none. */
export function finiteRange(values: Numbers): [number, number] | undefined {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) continue;
    if (values[i] < low) low = values[i];
    if (values[i] > high) high = values[i];
  }
  return low <= high ? [low, high] : undefined;
}

function isShown(value: number, positive: boolean): boolean {
  return Number.isFinite(value) && (!positive || value > 0);
}

/** Indices of the smallest and largest shown value in `[from, to)`, in order; the first index when none is shown. */
function extremes(y: Numbers, from: number, to: number, positive: boolean): number[] {
  let low = -1;
  let high = -1;
  for (let i = from; i < to; i++) {
    if (!isShown(y[i], positive)) continue;
    if (low < 0 || y[i] < y[low]) low = i;
    if (high < 0 || y[i] > y[high]) high = i;
  }
  if (low < 0) return [from];
  if (low === high) return [low];
  return low < high ? [low, high] : [high, low];
}

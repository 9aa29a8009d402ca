import type { FinderSuggestions } from "../viz/charts/finder.ts";

/** Weight of the neighbours in the curve that suggestions are read from. */
const smoothing = 0.6;

/**
 * Learning rates read from the losses of a finder run; none when the loss has not fallen.
 *
 * - `valley`: where the loss has done half of its fall, from the level it starts at to its lowest point.
 * - `steepest`: where it falls fastest over the logarithm of the rate, before its lowest point.
 * - `minimum`: a tenth of the rate of its lowest point.
 *
 * The curve is smoothed to both sides, or it would lag behind the rate.
 *
 * @see fastai: `valley`, `steep`, `minimum`. Differs: fastai's valley is the middle of the longest falling subsequence,
 * which the noise before anything is learned draws to rates that are too low.
 */
export function suggestLrs(lrs: readonly number[], losses: readonly number[]): FinderSuggestions {
  const level = mean(losses.slice(0, Math.max(3, Math.round(losses.length / 10))));
  // What lies above the start has blown up; how high does not matter.
  const curve = smoothBothWays(losses.map((loss) => (Number.isFinite(loss) ? Math.min(loss, level) : level)));
  const lowest = curve.reduce((best, loss, i) => (loss < curve[best] ? i : best), 0);
  if (!Number.isFinite(level) || lowest < 3) return {};
  let half = lowest;
  while (half > 0 && curve[half] < (level + curve[lowest]) / 2) half--;
  let steepest = 0;
  for (let i = 0; i < lowest; i++) if (slope(lrs, curve, i) < slope(lrs, curve, steepest)) steepest = i;
  return { valley: lrs[half], steepest: lrs[steepest], minimum: lrs[lowest] / 10 };
}

function slope(lrs: readonly number[], losses: readonly number[], i: number): number {
  return (losses[i + 1] - losses[i]) / Math.log(lrs[i + 1] / lrs[i]);
}

function smoothBothWays(values: readonly number[]): number[] {
  const oneWay = (list: readonly number[]): number[] => {
    let last = list[0];
    return list.map((value) => {
      last = smoothing * last + (1 - smoothing) * value;
      return last;
    });
  };
  return oneWay(oneWay(values).reverse()).reverse();
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

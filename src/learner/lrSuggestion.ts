import type { FinderSuggestions } from "../viz/charts/finder.ts";

/** All suggestions from the curve of a finder run; those that cannot be made are left out. */
export function suggestLrs(lrs: readonly number[], losses: readonly number[]): FinderSuggestions {
  const finite = losses.findIndex((loss) => !Number.isFinite(loss));
  const count = finite < 0 ? losses.length : finite;
  if (count < 3) return {};
  const curve = losses.slice(0, count);
  return { valley: lrs[valley(curve)], steepest: lrs[steepest(lrs, curve)], minimum: lrs[lowest(curve)] / 10 };
}

/**
 * Half way down the longest falling subsequence: far enough to learn fast, with room to where the loss turns.
 *
 * @see fastai: `valley`, by Zach Mueller after ESRI.
 */
function valley(losses: readonly number[]): number {
  const lengths = losses.map(() => 1);
  let end = 0;
  for (let i = 1; i < losses.length; i++) {
    for (let j = 0; j < i; j++) if (losses[i] < losses[j]) lengths[i] = Math.max(lengths[i], lengths[j] + 1);
    if (lengths[i] > lengths[end]) end = i;
  }
  const start = end - lengths[end] + 1;
  const third = (end - start) / 3;
  return start + Math.floor(third) + Math.floor(third / 2);
}

/** Where the loss falls fastest over the logarithm of the rate. */
function steepest(lrs: readonly number[], losses: readonly number[]): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i + 1 < losses.length; i++) {
    const slope = (losses[i + 1] - losses[i]) / Math.log(lrs[i + 1] / lrs[i]);
    if (slope < least) {
      least = slope;
      best = i;
    }
  }
  return best;
}

function lowest(losses: readonly number[]): number {
  return losses.reduce((best, loss, i) => (loss < losses[best] ? i : best), 0);
}

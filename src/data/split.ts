import { ArgumentError } from "../backend/errors.ts";
import { Generator } from "../tensor/index.ts";
import { type Dataset, positionsIn, Subset } from "./dataset.ts";
import { checkCount, drawSeed } from "./sampler.ts";

/** Sets splits apart from the order of loaders and from the global random sequence. */
const splitStream = 2 ** 30;

/**
 * Deals the items of a dataset out to parts at random.
 *
 * @param sizes - Numbers of items that sum to the length of the dataset; or fractions from 0 to 1 that sum to 1, where
 * items left over by rounding down go to the first parts, one each.
 * @param options.seed - The same seed gives the same parts. Default drawn from the global random sequence.
 * @throws {@link ArgumentError} when the sizes do not sum up.
 * @see PyTorch: `torch.utils.data.random_split`.
 * @example
 * const [train, valid] = randomSplit({ length: 10, get: (i) => i }, [0.8, 0.2], { seed: 1 });
 * [train.length, valid.length]; // => [8, 2]
 */
export function randomSplit<Item>(
  dataset: Dataset<Item>,
  sizes: readonly number[],
  { seed = drawSeed() }: { readonly seed?: number } = {},
): Subset<Item>[] {
  const counts = countsOf(sizes, dataset.length);
  const order = new Generator(seed, splitStream).permutation(dataset.length);
  let end = 0;
  return counts.map((count) => {
    end += count;
    return new Subset(dataset, order.subarray(end - count, end));
  });
}

/**
 * Splits a dataset into the items not listed and the items listed: training and validation.
 *
 * @throws {@link IndexError} for an index outside the dataset, {@link ArgumentError} for one listed twice.
 * @example
 * const [train, valid] = indexSplit({ length: 5, get: (i) => i }, [4, 0]);
 * [[...train.indices], [...valid.indices]]; // => [[1, 2, 3], [4, 0]]
 */
export function indexSplit<Item>(
  dataset: Dataset<Item>,
  validIndices: Iterable<number>,
): [train: Subset<Item>, valid: Subset<Item>] {
  const listed = positionsIn("indexSplit", validIndices, dataset.length);
  const isListed = new Uint8Array(dataset.length);
  for (const index of listed) {
    if (isListed[index] === 1) throw new ArgumentError("indexSplit", `index ${index} is listed twice.`);
    isListed[index] = 1;
  }
  const others = new Int32Array(dataset.length - listed.length);
  let count = 0;
  for (let i = 0; i < isListed.length; i++) if (isListed[i] === 0) others[count++] = i;
  return [new Subset(dataset, others), new Subset(dataset, listed)];
}

function countsOf(sizes: readonly number[], length: number): number[] {
  const sum = sizes.reduce((total, size) => total + size, 0);
  const areFractions = sizes.every((size) => size >= 0 && size <= 1) && Math.abs(sum - 1) < 1e-6;
  if (!areFractions) {
    for (const size of sizes) checkCount("randomSplit", "a size", size);
    if (sum === length) return [...sizes];
    throw new ArgumentError("randomSplit", `the sizes [${sizes}] sum to ${sum}, the dataset has ${length} items.`);
  }
  // 0.29 · 100 is 28.999…96: a hair below a whole number is that number.
  const counts = sizes.map((size) => Math.floor(size * length + 1e-6));
  let left = length - counts.reduce((total, count) => total + count, 0);
  for (let i = 0; left > 0; i = (i + 1) % counts.length) {
    if (sizes[i] === 0) continue;
    counts[i]++;
    left--;
  }
  return counts;
}

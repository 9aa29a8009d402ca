import { ArgumentError } from "../backend/errors.ts";
import { defaultGenerator, Generator } from "../tensor/index.ts";

/**
 * The order in which a loader takes the items of a dataset.
 *
 * The order must be a function of the epoch, and of the seed where there is one: so a run can be resumed anywhere.
 */
export interface Sampler {
  /** Number of items of an epoch. */
  readonly length: number;
  /** Chooses the order; a loader writes it when a run is resumed. */
  seed?: number;
  /** The numbers of the items, in order, for an epoch counted from 0. */
  indices(epoch: number): Int32Array | Iterable<number>;
}

/** Streams from here on belong to loaders, one for each epoch; those below to everything else. */
const firstEpochStream = 2 ** 31;

/** 0, 1, 2 … in this order, every epoch. */
export class SequentialSampler implements Sampler {
  readonly length: number;

  constructor(length: number) {
    this.length = checkCount("SequentialSampler", "length", length);
  }

  indices(): Int32Array {
    return Int32Array.from({ length: this.length }, (_, i) => i);
  }
}

/**
 * All items in random order, another one each epoch: a function of (seed, epoch) only.
 *
 * @param seed - Whole number from 0 to 2^53 − 1. Default drawn from the global random sequence, so that after
 * `manualSeed` runs repeat.
 * @example
 * const sampler = new RandomSampler(5, { seed: 1 });
 * [...sampler.indices(0)].sort(); // => [0, 1, 2, 3, 4]
 */
export class RandomSampler implements Sampler {
  readonly length: number;
  seed: number;

  constructor(length: number, { seed = drawSeed() }: { readonly seed?: number } = {}) {
    this.length = checkCount("RandomSampler", "length", length);
    this.seed = new Generator(seed).state().seed;
  }

  indices(epoch: number): Int32Array {
    return epochGenerator("RandomSampler", this.seed, epoch).permutation(this.length);
  }
}

/**
 * Items drawn by weight, with replacement: item i comes up with probability `weights[i]` / sum, in each place.
 *
 * @param options.length - Number of draws of an epoch. Default one for each weight.
 * @param options.seed - As in {@link RandomSampler}.
 * @throws {@link ArgumentError} when a weight is negative or not finite, or all are 0.
 * @see PyTorch: `torch.utils.data.WeightedRandomSampler`.
 */
export class WeightedRandomSampler implements Sampler {
  readonly length: number;
  seed: number;
  readonly #sums: Float64Array;

  constructor(weights: ArrayLike<number>, options: { readonly length?: number; readonly seed?: number } = {}) {
    const { length = weights.length, seed = drawSeed() } = options;
    this.length = checkCount("WeightedRandomSampler", "length", length);
    this.seed = new Generator(seed).state().seed;
    let sum = 0;
    this.#sums = Float64Array.from(weights, (weight, i) => {
      if (!(weight >= 0 && weight < Number.POSITIVE_INFINITY)) {
        throw new ArgumentError(
          "WeightedRandomSampler",
          `weights must be finite and from 0, got ${weight} for item ${i}.`,
        );
      }
      sum += weight;
      return sum;
    });
    if (!(sum > 0 && sum < Number.POSITIVE_INFINITY)) {
      throw new ArgumentError("WeightedRandomSampler", `the weights must have a finite sum above 0, got ${sum}.`);
    }
  }

  indices(epoch: number): Int32Array {
    const generator = epochGenerator("WeightedRandomSampler", this.seed, epoch);
    const sum = this.#sums[this.#sums.length - 1];
    return Int32Array.from({ length: this.length }, () => this.#find(generator.next() * sum));
  }

  /** The first item whose running sum is above `target`, so that a weight of 0 is never drawn. */
  #find(target: number): number {
    let low = 0;
    let high = this.#sums.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#sums[middle] > target) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/**
 * A sampler's order cut into batches.
 *
 * @param options.dropLast - Leaves out a last batch that is not full. Default false.
 * @example
 * new BatchSampler(new SequentialSampler(10), 4).batches(0).map((batch) => batch.length); // => [4, 4, 2]
 */
export class BatchSampler {
  readonly sampler: Sampler;
  readonly batchSize: number;
  readonly dropLast: boolean;

  constructor(sampler: Sampler, batchSize: number, { dropLast = false }: { readonly dropLast?: boolean } = {}) {
    this.sampler = sampler;
    this.batchSize = checkCount("BatchSampler", "batchSize", batchSize, 1);
    this.dropLast = dropLast;
  }

  /** Number of batches of an epoch. */
  get length(): number {
    const batches = this.sampler.length / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** The batches of an epoch counted from 0, as lists of item numbers. */
  batches(epoch: number): Int32Array[] {
    const indices = this.sampler.indices(epoch);
    const order = indices instanceof Int32Array ? indices : Int32Array.from(indices);
    if (order.length !== this.sampler.length) {
      throw new ArgumentError(
        "BatchSampler",
        `the sampler gave ${order.length} indices for epoch ${epoch}, its length is ${this.sampler.length}.`,
      );
    }
    const { batchSize } = this;
    return Array.from({ length: this.length }, (_, k) => order.subarray(k * batchSize, (k + 1) * batchSize));
  }
}

/** A seed from the global random sequence. */
export function drawSeed(): number {
  return Math.floor(defaultGenerator.next() * 2 ** 24) * 2 ** 24 + Math.floor(defaultGenerator.next() * 2 ** 24);
}

/** @throws {@link ArgumentError} unless `value` is a whole number from `least`. */
export function checkCount(operation: string, name: string, value: number, least = 0): number {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ArgumentError(operation, `${name} must be a whole number from ${least}, got ${value}.`);
  }
  return value;
}

/** Random numbers of one epoch, apart from those of every other epoch and of the global sequence. */
function epochGenerator(operation: string, seed: number, epoch: number): Generator {
  if (checkCount(operation, "epoch", epoch) >= 2 ** 31) {
    throw new ArgumentError(operation, `epochs end at 2^31 − 1, got ${epoch}.`);
  }
  return new Generator(seed, firstEpochStream + epoch);
}

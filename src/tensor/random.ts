import type { RandomKey, RandomKind } from "../backend/backend.ts";
import { isFloatingPoint } from "../backend/dtype.ts";
import { ArgumentError, DTypeError } from "../backend/errors.ts";
import { randomWords } from "../backend/js/philox.ts";
import { type Shape, sizeOf } from "../backend/shape.ts";
import { empty, type TensorOptions, tensor } from "./create.ts";
import type { Tensor } from "./tensor.ts";
import { checkFits } from "./values.ts";

/** Where a random sequence stands: two integers, part of every checkpoint. */
export interface RandomState {
  readonly seed: number;
  readonly counter: number;
}

/**
 * A sequence of random numbers: draw n depends on the seed, the stream and n only, on every backend and machine.
 *
 * @see Salmon et al. 2011, Parallel random numbers: as easy as 1, 2, 3 (Philox4x32-10).
 */
export class Generator {
  readonly stream: number;
  private _seed: number;
  private _counter = 0;

  /**
   * @param seed - Whole number from 0 to 2^53 − 1.
   * @param stream - Sets independent sequences of one seed apart. Whole number from 0 to 2^32 − 1. Default 0.
   */
  constructor(seed: number, stream = 0) {
    if (!Number.isInteger(stream) || stream < 0 || stream >= 2 ** 32) {
      throw new ArgumentError("Generator", `the stream must be a whole number from 0 to 2^32 − 1, got ${stream}.`);
    }
    this.stream = stream;
    this._seed = checkSeed("Generator", seed);
  }

  /** Starts a sequence anew. */
  seed(seed: number): void {
    this._seed = checkSeed("seed", seed);
    this._counter = 0;
  }

  /** The state, to be put back with {@link setState}. */
  state(): RandomState {
    return { seed: this._seed, counter: this._counter };
  }

  setState({ seed, counter }: RandomState): void {
    this._seed = checkSeed("setState", seed);
    this._counter = checkSeed("setState", counter);
  }

  /** A uniform number in [0, 1), for decisions on the JavaScript side. */
  next(): number {
    const [word] = randomWords(this.take(1), 1);
    return (word >>> 8) * 2 ** -24;
  }

  /** 0 … n−1 in random order. */
  permutation(n: number): Int32Array {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    const words = randomWords(this.take(n), n);
    for (let i = n - 1; i > 0; i--) {
      const j = Math.floor((words[i] / 2 ** 32) * (i + 1));
      [order[i], order[j]] = [order[j], order[i]];
    }
    return order;
  }

  /** The key of the next `count` draws, which are thereby used up. */
  take(count: number): RandomKey {
    const key = { seed: this._seed, stream: this.stream, counter: this._counter };
    this._counter += Math.ceil(count / 4);
    return key;
  }
}

/** Options of random tensors. */
export interface RandomOptions extends TensorOptions {
  /** Default the global one, set by {@link manualSeed}. */
  readonly generator?: Generator;
}

/** The sequence everything draws from that is not given its own. */
export const defaultGenerator: Generator = new Generator(0);

/**
 * Starts the global random sequence anew, so that runs repeat.
 *
 * @example
 * manualSeed(42);
 * const a = rand([2]).toArray();
 * manualSeed(42);
 * rand([2]).sub(tensor(a)).abs().sum().item(); // => 0
 */
export function manualSeed(seed: number): void {
  defaultGenerator.seed(seed);
}

/** The state of the global random sequence. */
export function getRandomState(): RandomState {
  return defaultGenerator.state();
}

/** Puts the global random sequence back to an earlier state. */
export function setRandomState(state: RandomState): void {
  defaultGenerator.setState(state);
}

/** Uniform numbers in [0, 1). */
export function rand(shape: Shape, options: RandomOptions = {}): Tensor {
  return fillRandom("uniform", floating("rand", empty(shape, options)), 0, 1, options.generator);
}

/** Normal numbers of mean 0 and standard deviation 1. */
export function randn(shape: Shape, options: RandomOptions = {}): Tensor {
  return fillRandom("normal", floating("randn", empty(shape, options)), 0, 1, options.generator);
}

/** Whole numbers from `low` up to, not including, `high`, as int32. */
export function randint(low: number, high: number, shape: Shape, options: RandomOptions = {}): Tensor {
  if (!Number.isInteger(low) || !Number.isInteger(high) || low >= high || high - low > 2 ** 32) {
    throw new ArgumentError("randint", `needs whole numbers with low < high, got ${low} and ${high}.`);
  }
  const target = empty(shape, { dtype: "int32", ...options });
  checkFits("randint", target.dtype, low);
  checkFits("randint", target.dtype, high - 1);
  return fillRandom("integers", target, low, high, options.generator);
}

/** 0 … n−1 in random order, as int32. */
export function randperm(n: number, options: RandomOptions = {}): Tensor {
  if (!Number.isInteger(n) || n < 0) throw new ArgumentError("randperm", `needs a whole number from 0, got ${n}.`);
  return tensor((options.generator ?? defaultGenerator).permutation(n), { dtype: "int32", ...options });
}

/** Uniform numbers with the shape, dtype and device of `like`. */
export function randLike(like: Tensor, options: RandomOptions = {}): Tensor {
  return rand(like.shape, { dtype: like.dtype, device: like.device, ...options });
}

/** Normal numbers with the shape, dtype and device of `like`. */
export function randnLike(like: Tensor, options: RandomOptions = {}): Tensor {
  return randn(like.shape, { dtype: like.dtype, device: like.device, ...options });
}

/** 1 with probability p, else 0. */
export function bernoulli(shape: Shape, p: number, options: RandomOptions = {}): Tensor {
  if (!(p >= 0 && p <= 1)) throw new ArgumentError("bernoulli", `a probability lies between 0 and 1, got ${p}.`);
  return fillRandom("bernoulli", empty(shape, options), 0, p, options.generator);
}

/** Writes draws over a tensor, unrecorded; what initialisation and the functions above stand on. */
export function fillRandom(
  kind: RandomKind,
  target: Tensor,
  low: number,
  high: number,
  generator: Generator = defaultGenerator,
): Tensor {
  target.storage.backend.random(kind, generator.take(sizeOf(target.shape)), target, low, high);
  target.storage.version++;
  return target;
}

function floating(operation: string, target: Tensor): Tensor {
  if (!isFloatingPoint(target.dtype)) {
    throw new DTypeError(operation, `draws fractions, which ${target.dtype} cannot hold. Use randint().`);
  }
  return target;
}

function checkSeed(operation: string, seed: number): number {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new ArgumentError(operation, `a seed is a whole number from 0 to 2^53 − 1, got ${seed}.`);
  }
  return seed;
}

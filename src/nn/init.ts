import { ArgumentError, ShapeError } from "../backend/errors.ts";
import { erf } from "../backend/js/erf.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import { requireFloat } from "../tensor/ops/elementwise.ts";
import { fillRandom, type Generator } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkNumber } from "./arguments.ts";

/** Which number of connections a variance is kept for: of the inputs (forward) or the outputs (backward). */
export type FanMode = "fanIn" | "fanOut";

const nonlinearities = ["linear", "sigmoid", "tanh", "relu", "leakyRelu", "selu"] as const;

/** What follows a layer, which decides the gain. */
export type Nonlinearity = (typeof nonlinearities)[number];

/** Options of Kaiming initialisation. */
export interface KaimingOptions {
  /** Slope of the leaky ReLU that follows; used with `nonlinearity: "leakyRelu"`. Default 0. */
  readonly a?: number;
  /** Default "fanIn". */
  readonly mode?: FanMode;
  /** Default "leakyRelu". */
  readonly nonlinearity?: Nonlinearity;
  /** Default the global one. */
  readonly generator?: Generator;
}

/**
 * Fills with uniform numbers in [low, high).
 *
 * @throws {@link ArgumentError} when the ends are not finite or in the wrong order.
 */
export function uniform_(x: Tensor, low = 0, high = 1, generator?: Generator): Tensor {
  requireFloat("uniform_", x);
  checkRange("uniform_", low, high);
  return fillRandom("uniform", x, low, high, generator);
}

/**
 * Fills with normal numbers.
 *
 * @throws {@link ArgumentError} when the mean is not finite or the standard deviation not a number from 0.
 */
export function normal_(x: Tensor, mean = 0, std = 1, generator?: Generator): Tensor {
  requireFloat("normal_", x);
  checkNumber("normal_", "mean", mean);
  checkNumber("normal_", "std", std, 0);
  return fillRandom("normal", x, mean, std, generator);
}

/**
 * Fills with normal numbers, drawn anew where they lie outside `low … high`.
 *
 * @param low - Smallest number. Default -2; absolute, not in standard deviations.
 * @param high - Largest number. Default 2.
 * @throws {@link ArgumentError} when less than 5 % of the distribution lie in the range.
 * @see PyTorch: `nn.init.trunc_normal_`.
 */
export function truncNormal_(x: Tensor, mean = 0, std = 1, low = -2, high = 2, generator?: Generator): Tensor {
  checkRange("truncNormal_", low, high);
  checkNumber("truncNormal_", "mean", mean);
  checkNumber("truncNormal_", "std", std, 0);
  const below = (end: number): number => erf((end - mean) / (std * Math.SQRT2)) / 2;
  const share = below(high) - below(low);
  if (!(share >= 0.05)) {
    throw new ArgumentError(
      "truncNormal_",
      `${low} to ${high} holds only ${(100 * share).toFixed(1)} % of a normal distribution of mean ${mean} and std ${std}; use uniform_().`,
    );
  }
  return noGrad(() => {
    normal_(x, mean, std, generator);
    for (;;) {
      const outside = x.lt(low).logicalOr(x.gt(high));
      if (outside.any().item() === 0) return x;
      x.copy_(normal_(x.clone(), mean, std, generator).where(outside, x));
    }
  });
}

/** Fills with one value. */
export function constant_(x: Tensor, value: number): Tensor {
  return noGrad(() => x.fill_(value));
}

/** Fills with zeros. */
export function zeros_(x: Tensor): Tensor {
  return constant_(x, 0);
}

/** Fills with ones. */
export function ones_(x: Tensor): Tensor {
  return constant_(x, 1);
}

/**
 * Connections per output and per input of a weight `[out, in, …kernel]`.
 *
 * @throws {@link ShapeError} for fewer than two axes.
 * @example
 * nn.init.fanInAndFanOut(zeros([32, 1, 5, 5])); // => { fanIn: 25, fanOut: 800 }
 */
export function fanInAndFanOut(weight: Tensor): { fanIn: number; fanOut: number } {
  if (weight.rank < 2) throw new ShapeError("fanInAndFanOut", `needs a weight [out, in, …], got [${weight.shape}].`);
  const field = weight.shape.slice(2).reduce((product, size) => product * size, 1);
  return { fanIn: weight.shape[1] * field, fanOut: weight.shape[0] * field };
}

/**
 * The factor that keeps the variance through a nonlinearity.
 *
 * @param a - Slope of a leaky ReLU. Default 0.01.
 * @throws {@link ArgumentError} for an unknown nonlinearity.
 * @see He et al. 2015, https://arxiv.org/abs/1502.01852. PyTorch: `nn.init.calculate_gain`.
 * @example
 * nn.init.calculateGain("leakyRelu", Math.sqrt(5)); // => 0.57735027
 */
export function calculateGain(nonlinearity: Nonlinearity, a = 0.01): number {
  switch (nonlinearity) {
    case "linear":
    case "sigmoid":
      return 1;
    case "tanh":
      return 5 / 3;
    case "relu":
      return Math.SQRT2;
    case "leakyRelu":
      return Math.sqrt(2 / (1 + a ** 2));
    case "selu":
      return 3 / 4;
    default:
      throw new ArgumentError(
        "calculateGain",
        `unknown nonlinearity "${String(nonlinearity)}"; use one of ${nonlinearities.join(", ")}.`,
      );
  }
}

/**
 * Uniform numbers whose variance keeps that of the activations through a (leaky) ReLU.
 *
 * @see He et al. 2015, https://arxiv.org/abs/1502.01852.
 */
export function kaimingUniform_(x: Tensor, options: KaimingOptions = {}): Tensor {
  const bound = Math.sqrt(3) * kaimingStd(x, options);
  return uniform_(x, -bound, bound, options.generator);
}

/** As {@link kaimingUniform_}, with normal numbers. */
export function kaimingNormal_(x: Tensor, options: KaimingOptions = {}): Tensor {
  return normal_(x, 0, kaimingStd(x, options), options.generator);
}

/**
 * Uniform numbers with variance 2·gain²/(fanIn + fanOut).
 *
 * @see Glorot and Bengio 2010, Understanding the difficulty of training deep feedforward neural networks.
 */
export function xavierUniform_(x: Tensor, gain = 1, generator?: Generator): Tensor {
  const bound = Math.sqrt(3) * xavierStd(x, gain);
  return uniform_(x, -bound, bound, generator);
}

/** As {@link xavierUniform_}, with normal numbers. */
export function xavierNormal_(x: Tensor, gain = 1, generator?: Generator): Tensor {
  return normal_(x, 0, xavierStd(x, gain), generator);
}

function kaimingStd(x: Tensor, { a = 0, mode = "fanIn", nonlinearity = "leakyRelu" }: KaimingOptions): number {
  const fans = fanInAndFanOut(x);
  const fan = fans[mode];
  if (fan === undefined) throw new ArgumentError("kaiming", `unknown mode "${mode}"; use "fanIn" or "fanOut".`);
  checkNumber("kaiming", "a", a);
  if (fan === 0) throw new ArgumentError("kaiming", `the weight [${x.shape}] has no connections.`);
  return calculateGain(nonlinearity, a) / Math.sqrt(fan);
}

function xavierStd(x: Tensor, gain: number): number {
  const { fanIn, fanOut } = fanInAndFanOut(x);
  checkNumber("xavier", "gain", gain, 0);
  if (fanIn + fanOut === 0) throw new ArgumentError("xavier", `the weight [${x.shape}] has no connections.`);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
}

function checkRange(operation: string, low: number, high: number): void {
  if (Number.isFinite(low) && Number.isFinite(high) && low <= high) return;
  throw new ArgumentError(operation, `needs finite numbers low ≤ high, got ${low} and ${high}.`);
}

import { DTypeError, IndexError, ShapeError } from "../backend/errors.ts";
import { call } from "../backend/expr.ts";
import type { Shape } from "../backend/shape.ts";
import { mul, neg } from "../tensor/ops/derivative.ts";
import { define } from "../tensor/ops/elementwise.ts";
import { indexSelect } from "../tensor/ops/indexing.ts";
import { bernoulli, type Generator } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkNumber, checkProbability, checkSize } from "./arguments.ts";

export {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool2d,
  adaptiveMaxPool3d,
} from "../tensor/adaptivePool.ts";
export { scaledDotProductAttention } from "../tensor/attention.ts";
export { conv1d, conv2d, conv3d, convTranspose1d, convTranspose2d, convTranspose3d } from "../tensor/conv.ts";
export { batchNorm, groupNorm, instanceNorm, layerNorm } from "../tensor/norm.ts";
export { linear } from "../tensor/ops/matmul.ts";
export { avgPool1d, avgPool2d, avgPool3d, maxPool1d, maxPool2d, maxPool3d } from "../tensor/pool.ts";
export { interpolate } from "../tensor/upsample.ts";
export { type CrossEntropyOptions, crossEntropy, type NllOptions, nll } from "./crossEntropy.ts";
export {
  binaryCrossEntropyWithLogits,
  type LossOptions,
  l1,
  mse,
  type Reduction,
  type SmoothL1Options,
  smoothL1,
} from "./losses.ts";

const dropoutOp = define("dropout", 3, ([x, mask, scale]) => mul(mul(x, mask), scale));

const eluOp = define("elu", 2, ([x, alpha]) => {
  const below = call("where", call("less", 0, x), 0, x); // e^x of a large x would overflow, and make the gradient NaN
  return call("where", call("less", 0, x), x, mul(alpha, call("expm1", below)));
});
const logSigmoidOp = define("logSigmoid", 1, ([x]) => neg(call("softplus", neg(x))));
const preluOp = define("prelu", 2, ([x, slope]) => call("where", call("less", 0, x), x, mul(slope, x)));

/** max(x, 0). */
export const relu = (x: Tensor): Tensor => x.relu();
/** x·Φ(x). */
export const gelu = (x: Tensor): Tensor => x.gelu();
/** x·sigmoid(x). */
export const silu = (x: Tensor): Tensor => x.silu();
/** x·tanh(softplus(x)). */
export const mish = (x: Tensor): Tensor => x.mish();
/** 1/(1 + e⁻ˣ). */
export const sigmoid = (x: Tensor): Tensor => x.sigmoid();
/** Hyperbolic tangent. */
export const tanh = (x: Tensor): Tensor => x.tanh();
/** x where positive, slope·x elsewhere. */
export const leakyRelu = (x: Tensor, slope?: number): Tensor => x.leakyRelu(slope);
/** log(1 + e^(beta·x)) / beta. */
export const softplus = (x: Tensor, beta?: number): Tensor => x.softplus(beta);
/** x where positive, alpha·(eˣ − 1) elsewhere; alpha is 1 unless given. @see Clevert et al. 2015, https://arxiv.org/abs/1511.07289 */
export const elu = (x: Tensor, alpha = 1): Tensor => eluOp.call(x, checkNumber("elu", "alpha", alpha));
/** log(1/(1 + e⁻ˣ)), without overflow. */
export const logSigmoid = (x: Tensor): Tensor => logSigmoidOp.call(x);
/** x cut off below `low` (default −1) and above `high` (default 1). */
export const hardtanh = (x: Tensor, low = -1, high = 1): Tensor => x.clamp({ min: low, max: high });

/**
 * x where positive, slope·x elsewhere; the slope is a tensor that gets a gradient.
 *
 * Shapes: x `[n, c, …]`, slope `[c]` or `[1]` → the shape of x.
 *
 * @see He et al. 2015, https://arxiv.org/abs/1502.01852. PyTorch: `F.prelu`.
 */
export function prelu(x: Tensor, slope: Tensor): Tensor {
  if (slope.numel() === 1) return preluOp.call(x, slope.reshape([]));
  if (x.rank < 2 || slope.rank !== 1 || slope.shape[0] !== x.shape[1]) {
    throw new ShapeError(
      "prelu",
      `slope [${slope.shape}] does not fit input [${x.shape}]; it must be [1], or one per channel of [n, c, …].`,
    );
  }
  return preluOp.call(x, slope.reshape(x.shape.slice(1).map((size, i) => (i === 0 ? size : 1))));
}

/** eˣ / Σ eˣ along an axis. */
export const softmax = (x: Tensor, axis: number): Tensor => x.softmax(axis);
/** x − log Σ eˣ along an axis. */
export const logSoftmax = (x: Tensor, axis: number): Tensor => x.logSoftmax(axis);

/**
 * Sets elements to 0 with probability p and scales the others by 1/(1 − p).
 *
 * @param options.p - Default 0.5.
 * @param options.training - Does nothing when false. Default true.
 * @param options.shape - Shape of the mask, which is broadcast: size 1 drops a whole axis together. Default that of x.
 */
export function dropout(
  x: Tensor,
  {
    p = 0.5,
    training = true,
    shape = x.shape,
    generator,
  }: { p?: number; training?: boolean; shape?: Shape; generator?: Generator } = {},
): Tensor {
  checkProbability("dropout", "p", p);
  if (!training || p === 0) return x;
  if (p === 1) return x.mul(0);
  const random = generator === undefined ? {} : { generator };
  const mask = bernoulli(shape, 1 - p, { dtype: "bool", device: x.device, ...random });
  return dropoutOp.call(x, mask, 1 / (1 - p));
}

/**
 * Rows of a table by number.
 *
 * Shapes: indices `[…]` int32, weight `[count, size]` → `[…, size]`.
 *
 * @param options.paddingIndex - A row that gets no gradient. Default none.
 * @throws {@link IndexError} for an index outside the table.
 * @see PyTorch: `F.embedding`.
 */
export function embedding(indices: Tensor, weight: Tensor, { paddingIndex }: { paddingIndex?: number } = {}): Tensor {
  if (weight.rank !== 2) throw new ShapeError("embedding", `the weight must be [count, size], got [${weight.shape}].`);
  const rows = indexSelect("embedding", weight, 0, indices.reshape([-1]));
  const result = rows.reshape([...indices.shape, weight.shape[1]]);
  if (paddingIndex === undefined) return result;
  // The padding row is a constant: its value passes, its gradient does not.
  return result.detach().where(indices.eq(paddingIndex).unsqueeze(-1), result);
}

/**
 * One row of zeros and a single 1 per class number.
 *
 * Shapes: `[…]` → `[…, classes]` int32.
 *
 * @param classes - Default one more than the largest number.
 * @throws {@link IndexError} for a number outside `0 … classes − 1`.
 */
export function oneHot(indices: Tensor, classes?: number): Tensor {
  if (indices.dtype !== "int32" && indices.dtype !== "uint8") {
    throw new DTypeError("oneHot", `class numbers must be int32, got ${indices.dtype}. Convert with .to("int32").`);
  }
  const count = checkSize("oneHot", "classes", classes ?? (indices.numel() === 0 ? 0 : indices.amax().item() + 1), 0);
  if (indices.numel() > 0) {
    const [low, high] = [indices.amin().item(), indices.amax().item()];
    if (low < 0 || high >= count) {
      throw new IndexError(
        "oneHot",
        `class ${low < 0 ? low : high} is out of range for ${count} classes (0 to ${count - 1}).`,
      );
    }
  }
  return indices.unsqueeze(-1).eq(indices._range(count)).to("int32");
}

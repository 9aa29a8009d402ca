import { ArgumentError, DTypeError, ShapeError } from "../backend/errors.ts";
import { isReLU, type Rectifier } from "../backend/fast.ts";
import { mapSizes, type Shape, sameShape, sizeOf } from "../backend/shape.ts";
import { apply } from "./apply.ts";
import { noGrad } from "./autograd/mode.ts";
import { requireFloat } from "./ops/elementwise.ts";
import { followsChannelsLast, inImageFormat } from "./ops/imageFormat.ts";
import {
  affineOp,
  affineRectifiedOp,
  affineReluOp,
  type NormOptions,
  normOp,
  statistics,
  updateRunning,
} from "./ops/norm.ts";
import type { Tensor } from "./tensor.ts";

/** Scale and shift after normalising, and what keeps the division safe. */
export interface AffineOptions {
  /** Scale. Default 1. */
  readonly weight?: Tensor | undefined;
  /** Shift. Default 0. */
  readonly bias?: Tensor | undefined;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

/** Options of {@link batchNorm} and {@link instanceNorm}. */
export interface RunningNormOptions extends AffineOptions {
  /** Mean over batches `[c]`, changed in place in training; used instead of the batch's own otherwise. */
  readonly runningMean?: Tensor | undefined;
  /** Variance over batches `[c]`, unbiased. */
  readonly runningVar?: Tensor | undefined;
  /** Whether to use and record the batch's own statistics. Default false for batch norm, true for instance norm. */
  readonly training?: boolean;
  /** Share of the batch in the running statistics, 0 to 1. For a cumulative average pass 1/(batches so far). Default 0.1. */
  readonly momentum?: number;
}

/** Options of {@link batchNorm}. */
export interface BatchNormOptions extends RunningNormOptions {
  /** What the result goes through in the same pass, ReLU being `{ leak: 0, sub: 0 }`. Default nothing. */
  readonly rectifier?: Rectifier | undefined;
}

/**
 * Each channel with its mean over the batch taken away and divided by its standard deviation.
 *
 * Shapes: x `[n, c, …]`, weight, bias, runningMean, runningVar `[c]` → the shape of x.
 *
 * @throws {@link ShapeError} when sizes do not fit, or a batch in training has one element per channel.
 * @throws {@link ArgumentError} when there are no running statistics outside training.
 * @see Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167. PyTorch: `F.batch_norm`.
 * @example
 * batchNorm(tensor([[1, 10], [3, 30]]), { training: true }).round().toArray(); // => [[-1, -1], [1, 1]]
 */
export function batchNorm(x: Tensor, options: BatchNormOptions = {}): Tensor {
  const { weight, bias, eps = 1e-5, training = false, rectifier } = options;
  requireFloat("batchNorm", x);
  if (x.rank < 2) throw new ShapeError("batchNorm", `input [${x.shape}] must be [n, c, …] with at least 2 axes.`);
  const channels = x.shape[1];
  const affine = mapSizes(x.shape, (_, i) => (i === 1 ? channels : 1));
  const running = runningOf("batchNorm", options, channels);
  checkAffine("batchNorm", x, [channels], weight, bias);
  const images = x.rank > 2 ? inImageFormat(x) : x;
  if (!training) {
    if (running === undefined) {
      throw new ArgumentError("batchNorm", "needs runningMean and runningVar, or { training: true }.");
    }
    return fixed(images, running, affine, weight, bias, eps, rectifier);
  }
  const count = x.numel() / Math.max(1, channels);
  if (count <= 1 && x.numel() > 0) {
    throw new ShapeError("batchNorm", `needs more than one element per channel in training, got [${x.shape}].`);
  }
  const axes = [...x.shape.keys()].filter((axis) => axis !== 1);
  return normalized(
    images,
    { name: "batchNorm", shape: x.shape, axes, affine, epsilon: eps, rectifier },
    weight,
    bias,
    (batch) => {
      if (running !== undefined) updateRunning(running.mean, running.variance, batch, options.momentum ?? 0.1, count);
    },
  );
}

/**
 * Each sample with the mean over its last axes taken away and divided by their standard deviation.
 *
 * Shapes: x `[…, …normalizedShape]`, weight and bias `normalizedShape` → the shape of x.
 *
 * @throws {@link ShapeError} when the last axes of x are not `normalizedShape`.
 * @see Ba et al. 2016, https://arxiv.org/abs/1607.06450. PyTorch: `F.layer_norm`.
 * @example
 * layerNorm(tensor([[1, 3], [10, 30]]), [2]).round().toArray(); // => [[-1, 1], [-1, 1]]
 */
export function layerNorm(x: Tensor, normalizedShape: Shape, options: AffineOptions = {}): Tensor {
  const { weight, bias, eps = 1e-5 } = options;
  requireFloat("layerNorm", x);
  const lead = x.rank - normalizedShape.length;
  if (normalizedShape.length === 0 || lead < 0 || !sameShape(x.shape.slice(lead), normalizedShape)) {
    throw new ShapeError("layerNorm", `input [${x.shape}] must end in [${normalizedShape}].`);
  }
  checkAffine("layerNorm", x, normalizedShape, weight, bias);
  const features = sizeOf(normalizedShape);
  const shape = [sizeOf(x.shape.slice(0, lead)), features];
  return normalized(
    x.contiguous(),
    { name: "layerNorm", shape, axes: [1], affine: [1, features], epsilon: eps },
    weight,
    bias,
  );
}

/**
 * Each sample's channels in groups, every group with its mean taken away and divided by its standard deviation.
 *
 * Shapes: x `[n, c, …]`, weight and bias `[c]` → the shape of x.
 *
 * @param groups - How many groups the channels are cut into, from 1.
 * @throws {@link ShapeError} when the channels cannot be cut into that many groups.
 * @see Wu and He 2018, https://arxiv.org/abs/1803.08494. PyTorch: `F.group_norm`.
 * @example
 * groupNorm(ones([2, 6, 4, 4]), 3).shape; // => [2, 6, 4, 4]
 */
export function groupNorm(x: Tensor, groups: number, options: AffineOptions = {}): Tensor {
  const { weight, bias, eps = 1e-5 } = options;
  requireFloat("groupNorm", x);
  if (x.rank < 2) throw new ShapeError("groupNorm", `input [${x.shape}] must be [n, c, …] with at least 2 axes.`);
  const [n, channels, ...spatial] = x.shape;
  if (!Number.isSafeInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new ShapeError("groupNorm", `input [${x.shape}] cannot be cut into ${groups} groups (${channels} channels).`);
  }
  checkAffine("groupNorm", x, [channels], weight, bias);
  const shape = [n, groups, channels / groups, ...spatial];
  const axes = [...shape.keys()].slice(2);
  const affine = [1, groups, channels / groups, ...spatial.map(() => 1)];
  const options_ = { name: "groupNorm", shape, axes, affine, epsilon: eps };
  return normalized(ordered(x), options_, weight, bias);
}

/**
 * Each channel of each sample with its mean taken away and divided by its standard deviation.
 *
 * Shapes: x `[n, c, …]` with at least one spatial axis, weight, bias, runningMean, runningVar `[c]` → the shape of x.
 *
 * @throws {@link ShapeError} when sizes do not fit, or a channel has one element.
 * @throws {@link ArgumentError} when there are no running statistics and `training` is false.
 * @see Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022. PyTorch: `F.instance_norm`, whose `use_input_stats` is `training`.
 * @example
 * instanceNorm(tensor([[[1, 3], [10, 30]]])).round().toArray(); // => [[[-1, 1], [-1, 1]]]
 */
export function instanceNorm(x: Tensor, options: RunningNormOptions = {}): Tensor {
  const { weight, bias, eps = 1e-5, training = true } = options;
  requireFloat("instanceNorm", x);
  if (x.rank < 3) throw new ShapeError("instanceNorm", `input [${x.shape}] must be [n, c, …] with at least 3 axes.`);
  const [n, channels, ...spatial] = x.shape;
  const affine = mapSizes(x.shape, (_, i) => (i === 1 ? channels : 1));
  const running = runningOf("instanceNorm", options, channels);
  checkAffine("instanceNorm", x, [channels], weight, bias);
  if (!training) {
    if (running === undefined)
      throw new ArgumentError("instanceNorm", "needs runningMean and runningVar, or { training: true }.");
    return fixed(x, running, affine, weight, bias, eps);
  }
  const count = sizeOf(spatial);
  if (count <= 1) {
    throw new ShapeError("instanceNorm", `needs more than one spatial element in training, got [${x.shape}].`);
  }
  const axes = [...x.shape.keys()].slice(2);
  return normalized(
    ordered(x),
    { name: "instanceNorm", shape: x.shape, axes, affine, epsilon: eps },
    weight,
    bias,
    (batch) => {
      if (running === undefined || n === 0) return;
      const mean = batch.mean.mean(0); // over the samples, as PyTorch
      updateRunning(
        running.mean,
        running.variance,
        { mean, variance: batch.variance.mean(0) },
        options.momentum ?? 0.1,
        count,
      );
    },
  );
}

type Layout = Omit<NormOptions, "hasWeight" | "hasBias">;

/** Normalises by the tensor's own statistics, which `record` may look at: some kernels find them while they normalise. */
function normalized(
  x: Tensor,
  layout: Layout,
  weight: Tensor | undefined,
  bias: Tensor | undefined,
  record?: (batch: { mean: Tensor; variance: Tensor }) => void,
): Tensor {
  const options = { ...layout, hasWeight: weight !== undefined, hasBias: bias !== undefined };
  const batch = noGrad(() => statistics(x, options));
  const parameters = [weight, bias].filter((p) => p !== undefined);
  const result = apply(normOp, [x, batch.mean, batch.variance, ...parameters], options);
  if (x.numel() > 0) noGrad(() => record?.(batch));
  return result;
}

/** Normalises by given statistics: one fused elementwise pass. */
function fixed(
  x: Tensor,
  running: { mean: Tensor; variance: Tensor },
  affine: Shape,
  weight: Tensor | undefined,
  bias: Tensor | undefined,
  eps: number,
  rectifier?: Rectifier,
): Tensor {
  const r = running.variance.detach().add(eps).rsqrt();
  const scale = (weight === undefined ? r : r.mul(weight)).reshape(affine);
  const shift = bias === undefined ? 0 : bias.reshape(affine);
  const given = [x, running.mean.detach().reshape(affine), scale, shift] as const;
  if (rectifier === undefined) return affineOp.call(...given);
  return isReLU(rectifier)
    ? affineReluOp.call(...given)
    : affineRectifiedOp.call(...given, rectifier.leak, rectifier.sub);
}

/** x itself where its memory is one block in a known order, else a row-major copy. */
function ordered(x: Tensor): Tensor {
  return followsChannelsLast(x) ? x : x.contiguous();
}

function runningOf(
  operation: string,
  { runningMean, runningVar }: RunningNormOptions,
  channels: number,
): { mean: Tensor; variance: Tensor } | undefined {
  if (runningMean === undefined || runningVar === undefined) {
    if (runningMean === runningVar) return undefined;
    throw new ArgumentError(operation, "runningMean and runningVar go together: give both or neither.");
  }
  for (const running of [runningMean, runningVar]) {
    requireFloat(operation, running);
    if (!sameShape(running.shape, [channels])) {
      throw new ShapeError(
        operation,
        `running statistics [${running.shape}] do not fit the channels; they must be [${channels}].`,
      );
    }
  }
  return { mean: runningMean, variance: runningVar };
}

function checkAffine(
  operation: string,
  x: Tensor,
  shape: Shape,
  weight: Tensor | undefined,
  bias: Tensor | undefined,
): void {
  for (const [name, p] of [
    ["weight", weight],
    ["bias", bias],
  ] as const) {
    if (p === undefined) continue;
    if (!sameShape(p.shape, shape)) {
      throw new ShapeError(operation, `${name} [${p.shape}] does not fit input [${x.shape}]; it must be [${shape}].`);
    }
    requireFloat(operation, p);
    if (p.dtype !== x.dtype && (x.dtype === "float32" || x.dtype === "float64")) {
      throw new DTypeError(operation, `${name} is ${p.dtype} where the input is ${x.dtype}. Convert with .to(dtype).`);
    }
  }
}

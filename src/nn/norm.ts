import { ArgumentError, ShapeError } from "../backend/errors.ts";
import type { Rectifier } from "../backend/fast.ts";
import type { Shape } from "../backend/shape.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import { ones, type TensorOptions, zeros } from "../tensor/create.ts";
import { batchNorm, groupNorm, instanceNorm, layerNorm } from "../tensor/norm.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkChannelsOf, checkNumber, checkProbability, checkSize } from "./arguments.ts";
import { describeOptions } from "./describe.ts";
import { forwardOf } from "./hooks.ts";
import { Module } from "./module.ts";
import { Buffer, Parameter } from "./parameter.ts";

/** Options of normalisation layers. */
export interface NormLayerOptions extends Pick<TensorOptions, "device" | "dtype"> {
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
  /** Whether to learn a scale and a shift. Default true. */
  readonly affine?: boolean;
}

/** Options of {@link BatchNorm2d} and its kin. */
export interface BatchNormLayerOptions extends NormLayerOptions {
  /** Share of the newest batch in the running statistics; null for the mean over all batches. Default 0.1. */
  readonly momentum?: number | null;
  /** Whether to keep running statistics for use outside training. Default true; false for instance norm. */
  readonly trackRunningStats?: boolean;
}

/** Scale, shift and running statistics, as batch and instance norm have them. */
abstract class RunningNorm extends Module {
  readonly channels: number;
  readonly eps: number;
  readonly momentum: number | null;
  weight: Parameter | undefined;
  bias: Parameter | undefined;
  runningMean: Buffer | undefined;
  runningVar: Buffer | undefined;
  numBatchesTracked: Buffer | undefined;

  constructor(channels: number, options: BatchNormLayerOptions) {
    super();
    const { eps = 1e-5, affine = true, momentum = 0.1, trackRunningStats = true, ...placement } = options;
    const name = new.target.name;
    this.channels = checkSize(name, "channels", channels);
    this.eps = checkNumber(name, "eps", eps, 0);
    this.momentum = momentum === null ? null : checkProbability(name, "momentum", momentum);
    this.weight = affine ? new Parameter(ones([channels], placement)) : undefined;
    this.bias = affine ? new Parameter(zeros([channels], placement)) : undefined;
    if (!trackRunningStats) return;
    this.runningMean = new Buffer(zeros([channels], placement));
    this.runningVar = new Buffer(ones([channels], placement));
    this.numBatchesTracked = new Buffer(zeros([], { ...placement, dtype: "int32" }));
  }

  override describe(): string {
    const { eps, momentum, weight, runningMean } = this;
    const rest = { eps, momentum, affine: weight !== undefined, trackRunningStats: runningMean !== undefined };
    return `${this.channels}, ${describeOptions(rest)}`;
  }

  /** Counts the batch and gives its share in the running statistics. */
  protected share(): number {
    const counter = this.numBatchesTracked;
    if (counter === undefined || !this.training) return this.momentum ?? 0;
    noGrad(() => counter.add_(1));
    return this.momentum ?? 1 / counter.item();
  }
}

/** What the batch norms share. */
export abstract class BatchNormNd extends RunningNorm {
  /** Ranks of the inputs it takes. */
  protected abstract readonly _ranks: readonly number[];

  constructor(channels: number, options: BatchNormLayerOptions = {}) {
    super(channels, options);
  }

  override get _isContained(): boolean {
    return forwardOf(this) === BatchNormNd.prototype.forward;
  }

  forward(x: Tensor): Tensor {
    return this.normalize(x);
  }

  override _rectified(rectifier: Rectifier): (x: Tensor) => Tensor {
    return (x) => this.normalize(x, rectifier);
  }

  private normalize(x: Tensor, rectifier?: Rectifier): Tensor {
    checkChannelsOf(this.constructor.name, x.shape, this._ranks, this.channels);
    const { weight, bias, runningMean, runningVar, eps } = this;
    const training = this.training || runningMean === undefined;
    return batchNorm(x, { weight, bias, runningMean, runningVar, eps, training, momentum: this.share(), rectifier });
  }
}

/** Batch normalisation of features or sequences. Shapes: `[n, c]` or `[n, c, length]`. @see PyTorch: `nn.BatchNorm1d`. */
export class BatchNorm1d extends BatchNormNd {
  protected readonly _ranks = [2, 3];
}

/**
 * Batch normalisation of images: per channel, over the batch in training, by running statistics otherwise.
 *
 * Shapes: `[n, c, h, w]` → the same.
 *
 * @see Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167. PyTorch: `nn.BatchNorm2d`.
 * @example
 * const layer = new nn.BatchNorm2d(2);
 * layer.forward(randn([8, 2, 4, 4]));
 * layer.numBatchesTracked?.item(); // => 1
 */
export class BatchNorm2d extends BatchNormNd {
  protected readonly _ranks = [4];
}

/** Batch normalisation of volumes. Shapes: `[n, c, d, h, w]`. @see PyTorch: `nn.BatchNorm3d`. */
export class BatchNorm3d extends BatchNormNd {
  protected readonly _ranks = [5];
}

abstract class InstanceNormNd extends RunningNorm {
  /** Ranks of the inputs it takes. */
  protected abstract readonly _ranks: readonly number[];

  constructor(channels: number, options: BatchNormLayerOptions = {}) {
    super(channels, { affine: false, trackRunningStats: false, ...options });
  }

  override get _isContained(): boolean {
    return forwardOf(this) === InstanceNormNd.prototype.forward;
  }

  forward(x: Tensor): Tensor {
    checkChannelsOf(this.constructor.name, x.shape, this._ranks, this.channels);
    const { weight, bias, runningMean, runningVar, eps } = this;
    const training = this.training || runningMean === undefined;
    return instanceNorm(x, {
      weight,
      bias,
      runningMean,
      runningVar,
      eps,
      training,
      momentum: this.momentum ?? this.share(),
    });
  }
}

/** Normalisation of each sequence and channel by itself. @see PyTorch: `nn.InstanceNorm1d`. */
export class InstanceNorm1d extends InstanceNormNd {
  protected readonly _ranks = [3];
}

/**
 * Normalisation of each image and channel by itself. Shapes: `[n, c, h, w]`.
 *
 * @see Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022. PyTorch: `nn.InstanceNorm2d`.
 */
export class InstanceNorm2d extends InstanceNormNd {
  protected readonly _ranks = [4];
}

/** Normalisation of each volume and channel by itself. @see PyTorch: `nn.InstanceNorm3d`. */
export class InstanceNorm3d extends InstanceNormNd {
  protected readonly _ranks = [5];
}

/**
 * Normalisation of each sample over its last axes.
 *
 * Shapes: `[…, ...normalizedShape]` → the same.
 *
 * @see Ba et al. 2016, https://arxiv.org/abs/1607.06450. PyTorch: `nn.LayerNorm`.
 * @example
 * new nn.LayerNorm(2).forward(tensor([[1, 3]])).round().toArray(); // => [[-1, 1]]
 */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number;
  weight: Parameter | undefined;
  bias: Parameter | undefined;

  constructor(normalizedShape: number | Shape, { eps = 1e-5, affine = true, ...placement }: NormLayerOptions = {}) {
    super();
    this.normalizedShape = typeof normalizedShape === "number" ? [normalizedShape] : [...normalizedShape];
    if (this.normalizedShape.length === 0) throw new ArgumentError("LayerNorm", "normalizedShape [] has no axis.");
    for (const size of this.normalizedShape) checkSize("LayerNorm", "normalizedShape", size);
    this.eps = checkNumber("LayerNorm", "eps", eps, 0);
    this.weight = affine ? new Parameter(ones(this.normalizedShape, placement)) : undefined;
    this.bias = affine ? new Parameter(zeros(this.normalizedShape, placement)) : undefined;
  }

  override get _isContained(): boolean {
    return forwardOf(this) === LayerNorm.prototype.forward;
  }

  forward(x: Tensor): Tensor {
    const { weight, bias, eps } = this;
    return layerNorm(x, this.normalizedShape, { weight, bias, eps });
  }

  override describe(): string {
    const { normalizedShape, eps, weight } = this;
    return `[${normalizedShape.join(", ")}], ${describeOptions({ eps, affine: weight !== undefined })}`;
  }
}

/**
 * Normalisation of each sample over groups of channels.
 *
 * Shapes: `[n, c, …]` → the same.
 *
 * @see Wu and He 2018, https://arxiv.org/abs/1803.08494. PyTorch: `nn.GroupNorm`.
 */
export class GroupNorm extends Module {
  readonly groups: number;
  readonly channels: number;
  readonly eps: number;
  weight: Parameter | undefined;
  bias: Parameter | undefined;

  constructor(groups: number, channels: number, { eps = 1e-5, affine = true, ...placement }: NormLayerOptions = {}) {
    super();
    this.groups = checkSize("GroupNorm", "groups", groups);
    this.channels = checkSize("GroupNorm", "channels", channels);
    if (channels % groups !== 0)
      throw new ArgumentError("GroupNorm", `${groups} groups do not divide ${channels} channels.`);
    this.eps = checkNumber("GroupNorm", "eps", eps, 0);
    this.weight = affine ? new Parameter(ones([channels], placement)) : undefined;
    this.bias = affine ? new Parameter(zeros([channels], placement)) : undefined;
  }

  override get _isContained(): boolean {
    return forwardOf(this) === GroupNorm.prototype.forward;
  }

  forward(x: Tensor): Tensor {
    if (x.rank < 2 || x.shape[1] !== this.channels) {
      throw new ShapeError("GroupNorm", `input [${x.shape}] must be [n, ${this.channels}, …].`);
    }
    const { weight, bias, eps } = this;
    return groupNorm(x, this.groups, { weight, bias, eps });
  }

  override describe(): string {
    const { groups, channels, eps, weight } = this;
    return `${groups}, ${channels}, ${describeOptions({ eps, affine: weight !== undefined })}`;
  }
}

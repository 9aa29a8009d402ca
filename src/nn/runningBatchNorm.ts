import { noGrad } from "../tensor/autograd/mode.ts";
import { ones, zeros } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkChannelsOf, checkNumber, checkProbability, checkSize } from "./arguments.ts";
import { describeOptions } from "./describe.ts";
import { Module } from "./module.ts";
import { Buffer, Parameter } from "./parameter.ts";

/** Options of {@link RunningBatchNorm}. */
export interface RunningBatchNormOptions {
  /** Share of a batch in the running sums, before the correction for small batches. Default 0.1. */
  readonly momentum?: number;
  /** Added to the variance. Default 1e-5. */
  readonly eps?: number;
}

/**
 * Batch normalisation by running statistics in training too, so that it works with tiny batches.
 *
 * Sums, squares and counts are averaged exponentially; as numerator and denominator start from 0 alike, their quotient
 * needs no correction. The gradient goes through the newest batch's part of them. While fewer than 20 samples have been
 * seen, the variance is at least 0.01.
 *
 * Shapes: `[n, c, h, w]` → the same.
 *
 * @see fast.ai, Deep learning from the foundations, lesson 10. Differs: a batch of one sample counts like one of two,
 * where the course's version divides by zero.
 * @example
 * new nn.RunningBatchNorm(4).forward(randn([1, 4, 3, 3])).shape; // => [1, 4, 3, 3]
 */
export class RunningBatchNorm extends Module {
  readonly momentum: number;
  readonly eps: number;
  weight: Parameter;
  bias: Parameter;
  sums: Buffer;
  squares: Buffer;
  count: Buffer;
  samples: Buffer;

  constructor(channels: number, { momentum = 0.1, eps = 1e-5 }: RunningBatchNormOptions = {}) {
    super();
    checkSize("RunningBatchNorm", "channels", channels);
    const shape = [1, channels, 1, 1];
    this.momentum = checkProbability("RunningBatchNorm", "momentum", momentum);
    this.eps = checkNumber("RunningBatchNorm", "eps", eps, 0);
    this.weight = new Parameter(ones(shape));
    this.bias = new Parameter(zeros(shape));
    this.sums = new Buffer(zeros(shape));
    this.squares = new Buffer(zeros(shape));
    this.count = new Buffer(zeros([]));
    this.samples = new Buffer(zeros([], { dtype: "int32" }));
  }

  forward(x: Tensor): Tensor {
    checkChannelsOf("RunningBatchNorm", x.shape, [4], this.weight.shape[1]);
    const [sums, squares] = this.training ? this.update(x) : [this.sums, this.squares];
    const means = sums.div(this.count);
    const spread = squares.div(this.count).sub(means.square());
    const variance = this.samples.item() < 20 ? spread.clamp({ min: 0.01 }) : spread;
    const factor = this.weight.div(variance.add(this.eps).sqrt());
    return x.mul(factor).add(this.bias.sub(means.mul(factor)));
  }

  /** The running sums with this batch in them, its part differentiable. */
  private update(x: Tensor): readonly [Tensor, Tensor] {
    const [n, channels] = x.shape;
    const momentum = 1 - (1 - this.momentum) / Math.sqrt(Math.max(1, n - 1));
    const sums = this.sums.mul(1 - momentum).add(x.sum([0, 2, 3], { keepDims: true }).mul(momentum));
    const squares = this.squares.mul(1 - momentum).add(x.square().sum([0, 2, 3], { keepDims: true }).mul(momentum));
    noGrad(() => {
      this.sums.copy_(sums);
      this.squares.copy_(squares);
      this.count.mul_(1 - momentum).add_((momentum * x.numel()) / channels);
      this.samples.add_(n);
    });
    return [sums, squares];
  }

  override describe(): string {
    return `${this.weight.shape[1]}, ${describeOptions({ eps: this.eps, momentum: this.momentum })}`;
  }
}

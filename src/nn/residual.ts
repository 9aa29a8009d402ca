import { ArgumentError } from "../backend/errors.ts";
import { isReLU } from "../backend/fast.ts";
import { scalars } from "../tensor/ops/scalars.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { ReLU } from "./activation.ts";
import { checkSize } from "./arguments.ts";
import { type Layer, Sequential } from "./containers.ts";
import { Conv2d } from "./conv.ts";
import { forwardOf } from "./hooks.ts";
import { Identity } from "./linear.ts";
import { Module } from "./module.ts";
import { BatchNorm2d } from "./norm.ts";
import { AvgPool2d } from "./pool.ts";

const makeReLU = (): Layer => new ReLU();
const makeBatchNorm = (channels: number): Layer => new BatchNorm2d(channels);

/** Options of {@link convBlock} and {@link ResBlock}. */
export interface ConvBlockOptions {
  /** Default 2 for convBlock, 1 for ResBlock. */
  readonly stride?: number;
  /** Default 3. */
  readonly kernelSize?: number;
  /** Makes the activation; null for none. Default ReLU. */
  readonly activation?: (() => Layer) | null;
  /** Makes the normalisation for a number of channels; null for none. Default batch norm. */
  readonly norm?: ((channels: number) => Layer) | null;
  /** Whether convolutions have biases. Default only where no normalisation follows, which would take them away again. */
  readonly bias?: boolean;
}

/**
 * Convolution, normalisation, activation, with padding that keeps the size at stride 1.
 *
 * @see miniai: `conv`, which is this with a bias.
 * @example
 * nn.convBlock(1, 8).forward(zeros([2, 1, 28, 28])).shape; // => [2, 8, 14, 14]
 */
export function convBlock(inChannels: number, outChannels: number, options: ConvBlockOptions = {}): Sequential {
  const { stride = 2, kernelSize = 3, activation = makeReLU, norm = makeBatchNorm, bias = norm === null } = options;
  checkSize("convBlock", "kernelSize", kernelSize);
  const padding = Math.floor(kernelSize / 2);
  const conv = new Conv2d(inChannels, outChannels, kernelSize, { stride, padding, bias });
  const layers: Layer[] = [conv];
  if (norm !== null) layers.push(norm(outChannels));
  if (activation !== null) layers.push(activation());
  return new Sequential(...layers);
}

/**
 * Two convolutions beside a short cut: activation(convs(x) + identity(x)).
 *
 * The identity is pooled where the stride is above 1 and goes through a 1×1 convolution where channels change.
 *
 * @throws {@link ArgumentError} for an even kernel.
 * @see miniai: `ResBlock`. He et al. 2015, https://arxiv.org/abs/1512.03385.
 * @example
 * new nn.ResBlock(8, 16, { stride: 2 }).forward(zeros([2, 8, 28, 28])).shape; // => [2, 16, 14, 14]
 */
export class ResBlock extends Module {
  readonly convs: Sequential;
  readonly idconv: Layer;
  readonly pool: Layer;
  readonly activation: Layer;

  constructor(inChannels: number, outChannels: number, options: ConvBlockOptions = {}) {
    super();
    const { stride = 1, kernelSize = 3, activation = makeReLU, norm = makeBatchNorm, bias = norm === null } = options;
    checkSize("ResBlock", "stride", stride);
    if (kernelSize % 2 === 0) {
      throw new ArgumentError(
        "ResBlock",
        `kernelSize must be odd, so that both ways keep the size; got ${kernelSize}.`,
      );
    }
    this.convs = new Sequential(
      convBlock(inChannels, outChannels, { stride: 1, kernelSize, activation, norm, bias }),
      convBlock(outChannels, outChannels, { stride, kernelSize, activation: null, norm, bias }),
    );
    const narrow = { kernelSize: 1, stride: 1, activation: null, norm: null };
    this.idconv = inChannels === outChannels ? new Identity() : convBlock(inChannels, outChannels, narrow);
    this.pool = stride === 1 ? new Identity() : new AvgPool2d(stride, { ceilMode: true });
    this.activation = activation === null ? new Identity() : activation();
  }

  override get _isContained(): boolean {
    return forwardOf(this) === ResBlock.prototype.forward && arePathsContained(this);
  }

  forward(x: Tensor): Tensor {
    return joinPaths(x, this);
  }
}

/** What a residual block is made of. */
export interface ResidualPaths {
  readonly convs: Layer;
  readonly idconv: Layer;
  readonly pool: Layer;
  readonly activation: Layer;
}

/**
 * activation(convs(x) + idconv(pool(x))), sum and ReLU in one pass. Memory of values that none but contained layers saw
 * can be reused early, as in {@link Sequential}.
 */
export function joinPaths(x: Tensor, { convs, idconv, pool, activation }: ResidualPaths): Tensor {
  const main = convs.forward(x);
  const pooled = pool.forward(x);
  const side = idconv.forward(pooled);
  const rectifier = activation._rectifier;
  const isFused = rectifier !== undefined && isReLU(rectifier);
  const sum = isFused ? scalars.addRelu.call(main, side) : main.add(side);
  if (convs._isContained) main.storage.abandon();
  if (idconv._isContained) side.storage.abandon();
  if (pool._isContained && (idconv._isContained || isPlainIdentity(idconv))) pooled.storage.abandon();
  if (isFused) return sum;
  const result = activation.forward(sum);
  if (activation._isContained) sum.storage.abandon();
  return result;
}

/** Whether a block of these paths lets nobody see its input. */
export function arePathsContained({ convs, idconv, pool, activation }: ResidualPaths): boolean {
  return convs._isContained && [idconv, pool, activation].every((part) => part._isContained || isPlainIdentity(part));
}

function isPlainIdentity(layer: Layer): boolean {
  return forwardOf(layer) === Identity.prototype.forward;
}

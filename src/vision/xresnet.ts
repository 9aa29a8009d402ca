import { ArgumentError } from "../backend/errors.ts";
import { forwardOf } from "../nn/hooks.ts";
import * as nn from "../nn/index.ts";
import { arePathsContained, joinPaths } from "../nn/residual.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Options of the xresnets. */
export interface XResNetOptions {
  /** Channels of the images. Default 3. */
  readonly inChannels?: number;
  /** Number of classes. Default 1000. */
  readonly classes?: number;
}

const relu = new nn.ReLU();

interface ConvLayerChoice {
  readonly kernelSize?: number;
  readonly stride?: number;
  /** Whether the normalisation starts with scale 0, so that a residual block starts as its short cut. */
  readonly zeroScale?: boolean;
  readonly activation?: boolean;
}

/**
 * A residual block of an xresnet: two 3×3 convolutions, or with expansion 4 a 1×1, a 3×3 and a 1×1, beside a short cut
 * that is pooled, not strided.
 *
 * Shapes: `[n, expansion·in, h, w]` → `[n, expansion·hidden, h/stride, w/stride]`.
 *
 * @see He et al. 2018, Bag of Tricks, https://arxiv.org/abs/1812.01187, figure 2; scale 0 at the end: Goyal et al. 2017,
 * https://arxiv.org/abs/1706.02677.
 */
export class XResBlock extends nn.Module {
  readonly convs: nn.Sequential;
  readonly idconv: nn.Layer;
  readonly pool: nn.Layer;

  constructor(expansion: 1 | 4, inWidth: number, hidden: number, stride = 1) {
    super();
    const [inChannels, outChannels] = [inWidth * expansion, hidden * expansion];
    const last = { zeroScale: true, activation: false };
    this.convs =
      expansion === 1
        ? new nn.Sequential(convLayer(inChannels, hidden, { stride }), convLayer(hidden, outChannels, last))
        : new nn.Sequential(
            convLayer(inChannels, hidden, { kernelSize: 1 }),
            convLayer(hidden, hidden, { stride }),
            convLayer(hidden, outChannels, { kernelSize: 1, ...last }),
          );
    this.idconv =
      inChannels === outChannels
        ? new nn.Identity()
        : convLayer(inChannels, outChannels, { kernelSize: 1, activation: false });
    this.pool = stride === 1 ? new nn.Identity() : new nn.AvgPool2d(2, { ceilMode: true });
  }

  override get _isContained(): boolean {
    return forwardOf(this) === XResBlock.prototype.forward && arePathsContained({ ...this, activation: relu });
  }

  forward(x: Tensor): Tensor {
    return joinPaths(x, { ...this, activation: relu });
  }
}

/**
 * A residual network with the improvements of the bag of tricks: a stem of three small convolutions, pooled short cuts,
 * scale 0 at the end of every block.
 *
 * Shapes: `[n, inChannels, h, w]` → `[n, classes]`; the layers' paths are `0` … `10`.
 *
 * @param expansion - 1 for plain blocks, 4 for bottlenecks.
 * @param blocks - Blocks in each of the 4 stages.
 * @throws {@link ArgumentError} unless there are 4 numbers of blocks, and for sizes below 1.
 * @see He et al. 2018, https://arxiv.org/abs/1812.01187; fast.ai, Deep learning from the foundations, lesson 12.
 * @example
 * xresnet([1, 1, 1, 1], 1, { inChannels: 1, classes: 10 }).forward(zeros([2, 1, 32, 32])).shape; // => [2, 10]
 */
export function xresnet(
  blocks: readonly number[],
  expansion: 1 | 4,
  { inChannels = 3, classes = 1000 }: XResNetOptions = {},
): nn.Sequential {
  checkChoice("inChannels", inChannels);
  checkChoice("classes", classes);
  if (blocks.length !== 4)
    throw new ArgumentError("xresnet", `needs 4 numbers of blocks, got ${blocks.length}: [${blocks}].`);
  for (const n of blocks) checkChoice("a number of blocks", n);
  const stem = [inChannels, (inChannels + 1) * 8, 64, 64];
  const widths = [64 / expansion, 64, 128, 256, 512];
  const model = new nn.Sequential(
    ...[0, 1, 2].map((i) => convLayer(stem[i], stem[i + 1], { stride: i === 0 ? 2 : 1 })),
    new nn.MaxPool2d(3, { stride: 2, padding: 1 }),
    ...blocks.map((count, i) => stage(expansion, widths[i], widths[i + 1], count, i === 0 ? 1 : 2)),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(512 * expansion, classes),
  );
  return model.apply(initialize);
}

/** xresnet with 18 layers; 11,228,586 parameters for 10 classes. */
export function xresnet18(options: XResNetOptions = {}): nn.Sequential {
  return xresnet([2, 2, 2, 2], 1, options);
}

/** xresnet with 34 layers; 21,336,746 parameters for 10 classes. */
export function xresnet34(options: XResNetOptions = {}): nn.Sequential {
  return xresnet([3, 4, 6, 3], 1, options);
}

/** xresnet with 50 layers; 23,575,466 parameters for 10 classes. */
export function xresnet50(options: XResNetOptions = {}): nn.Sequential {
  return xresnet([3, 4, 6, 3], 4, options);
}

/** xresnet with 101 layers; 42,567,594 parameters for 10 classes. */
export function xresnet101(options: XResNetOptions = {}): nn.Sequential {
  return xresnet([3, 4, 23, 3], 4, options);
}

/** xresnet with 152 layers; 58,211,242 parameters for 10 classes. */
export function xresnet152(options: XResNetOptions = {}): nn.Sequential {
  return xresnet([3, 8, 36, 3], 4, options);
}

function convLayer(inChannels: number, outChannels: number, choice: ConvLayerChoice = {}): nn.Sequential {
  const { kernelSize = 3, stride = 1, zeroScale = false, activation = true } = choice;
  const conv = new nn.Conv2d(inChannels, outChannels, kernelSize, {
    stride,
    padding: Math.floor(kernelSize / 2),
    bias: false,
  });
  const norm = new nn.BatchNorm2d(outChannels);
  if (zeroScale && norm.weight !== undefined) nn.init.zeros_(norm.weight);
  return activation ? new nn.Sequential(conv, norm, new nn.ReLU()) : new nn.Sequential(conv, norm);
}

function stage(expansion: 1 | 4, inWidth: number, width: number, count: number, stride: number): nn.Sequential {
  const blocks = Array.from({ length: count }, (_, i) =>
    i === 0 ? new XResBlock(expansion, inWidth, width, stride) : new XResBlock(expansion, width, width),
  );
  return new nn.Sequential(...blocks);
}

function initialize(module: nn.AnyModule): void {
  if (!(module instanceof nn.Conv2d || module instanceof nn.Linear)) return;
  nn.init.kaimingNormal_(module.weight);
  if (module.bias !== undefined) nn.init.zeros_(module.bias);
}

function checkChoice(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new ArgumentError("xresnet", `${name} must be a whole number from 1, got ${value}.`);
}

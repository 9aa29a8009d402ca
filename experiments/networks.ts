/** The convolutional networks of the courses. */
import { nn } from "kindling";

/** Makes one block of a network from its numbers of channels and the size of its kernel; the stride is 2. */
export type Block = (inChannels: number, outChannels: number, kernelSize: number) => nn.Layer;

const strided = (inChannels: number, outChannels: number, kernelSize: number, bias = true): nn.Conv2d =>
  new nn.Conv2d(inChannels, outChannels, kernelSize, { stride: 2, padding: Math.floor(kernelSize / 2), bias });

/** Convolution and ReLU. */
export const reluBlock: Block = (...sizes) => new nn.Sequential(strided(...sizes), new nn.ReLU());

/** Convolution and the course's GeneralRelu. */
export function generalBlock(options: nn.GeneralReluOptions = {}): Block {
  return (...sizes) => new nn.Sequential(strided(...sizes), new nn.GeneralRelu(options));
}

/** Convolution, ReLU and then the normalisation, in the order the course has them. */
export function normBlock(norm: (channels: number) => nn.Layer): Block {
  return (inChannels, outChannels, kernelSize) =>
    new nn.Sequential(strided(inChannels, outChannels, kernelSize, false), new nn.ReLU(), norm(outChannels));
}

/**
 * The course's network: blocks of stride 2, the first with a kernel of 5 × 5, the mean over all places, a linear layer.
 *
 * Shapes: `[n, 1, 28, 28]` → `[n, 10]`.
 */
export function courseNetwork(channels: readonly number[], block: Block): nn.Sequential {
  const blocks = channels.map((count, i) => (i === 0 ? block(1, count, 5) : block(channels[i - 1], count, 3)));
  const last = channels[channels.length - 1];
  return new nn.Sequential(...blocks, new nn.AdaptiveAvgPool2d(1), new nn.Flatten(), new nn.Linear(last, 10));
}

/** Weights of convolutions by Kaiming for a leaky ReLU of slope `a`, their biases 0. */
export function initConvolutions<M extends nn.Module>(model: M, a: number, uniform = false): M {
  const fill = uniform ? nn.init.kaimingUniform_ : nn.init.kaimingNormal_;
  for (const layer of model.modules()) {
    if (!(layer instanceof nn.Conv2d)) continue;
    fill(layer.weight, { a });
    if (layer.bias !== undefined) nn.init.zeros_(layer.bias);
  }
  return model;
}

/** miniai's activation: a ReLU with a leak, lowered so that its mean is near 0. */
export const miniaiRelu = (): nn.Layer => new nn.GeneralRelu({ leak: 0.1, sub: 0.4 });

const batchNorm = (channels: number): nn.Layer => new nn.BatchNorm2d(channels);

/** What miniai's networks are made of. */
export interface MiniaiParts {
  readonly activation?: () => nn.Layer;
  readonly norm?: ((channels: number) => nn.Layer) | null;
}

/** miniai's plain network: convolutions 3 × 3 of stride 2, the last one to the ten classes. */
export function miniaiNetwork({ activation = miniaiRelu, norm = null }: MiniaiParts = {}): nn.Sequential {
  const channels = [1, 8, 16, 32, 64];
  return new nn.Sequential(
    ...channels.slice(1).map((count, i) => nn.convBlock(channels[i], count, { activation, norm })),
    nn.convBlock(64, 10, { activation: null, norm: null }),
    new nn.Flatten(),
  );
}

/** miniai's deeper network: as the plain one with batch norm, with 8 channels at full size first and 128 at the end. */
export function miniaiDeeper(): nn.Sequential {
  const parts = { activation: miniaiRelu, norm: batchNorm };
  const channels = [8, 16, 32, 64, 128];
  return new nn.Sequential(
    nn.convBlock(1, 8, { ...parts, stride: 1 }),
    ...channels.slice(1).map((count, i) => nn.convBlock(channels[i], count, parts)),
    nn.convBlock(128, 10, { activation: null, norm: batchNorm }),
    new nn.Flatten(),
  );
}

const residual = (inChannels: number, outChannels: number, stride = 2, kernelSize = 3): nn.Layer =>
  new nn.ResBlock(inChannels, outChannels, { stride, kernelSize, activation: miniaiRelu, norm: batchNorm });

const residuals = (channels: readonly number[]): nn.Layer[] =>
  channels.slice(1).map((count, i) => residual(channels[i], count));

const classifier = (features: number): nn.Layer[] => [
  new nn.Linear(features, 10, { bias: false }),
  new nn.BatchNorm1d(10),
];

const meanOverPlaces = (): nn.Layer[] => [new nn.AdaptiveAvgPool2d(1), new nn.Flatten()];

/** miniai's residual networks, from notebooks 13 and 14, without the biases before a batch norm, which do nothing. */
export const miniaiResidual = {
  resnet: () => residualNetwork([8, 16, 32, 64, 128, 256]),
  wider: () => residualNetwork([16, 32, 64, 128, 256, 512]),
  model2: () =>
    new nn.Sequential(
      residual(1, 16, 1, 5),
      ...residuals([16, 32, 64, 128, 256]),
      residual(256, 512, 1),
      ...meanOverPlaces(),
      ...classifier(512),
    ),
  model3: () =>
    new nn.Sequential(
      residual(1, 16, 1, 5),
      ...residuals([16, 32, 64, 128, 256]),
      ...meanOverPlaces(),
      ...classifier(256),
    ),
  model4: () =>
    new nn.Sequential(
      nn.convBlock(1, 16, { stride: 1, kernelSize: 5, activation: miniaiRelu, norm: batchNorm }),
      ...residuals([16, 32, 64, 128, 256]),
      ...meanOverPlaces(),
      ...classifier(256),
    ),
} satisfies Readonly<Record<string, () => nn.Sequential>>;

function residualNetwork(channels: readonly number[]): nn.Sequential {
  const last = channels[channels.length - 1];
  return new nn.Sequential(residual(1, channels[0], 1), ...residuals(channels), new nn.Flatten(), ...classifier(last));
}

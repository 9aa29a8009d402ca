import { F, nn, noGrad, randn, type Tensor } from "kindling";
import { mnistTensors, normalizeTo } from "kindling/data";
import { type Experiment, exactly, type Figures, within } from "../experiment.ts";
import { courseNetwork, initConvolutions, reluBlock } from "../networks.ts";

const std = (x: Tensor): number => x.std().item();

/** The first 100 validation images of normalised MNIST, and their digits. */
async function hundredImages(): Promise<{ x: Tensor; y: Tensor }> {
  const { train, valid } = await mnistTensors();
  const { valid: x } = normalizeTo(train.x.div(256), valid.x.div(256));
  return { x: x.slice(0, 0, 100), y: valid.y.slice(0, 0, 100) };
}

/** One convolution, started in four ways. */
function oneLayer(x: Tensor): Figures {
  const layer = new nn.Conv2d(1, 32, 5);
  const output = (): Tensor => noGrad(() => layer.forward(x));
  const figures = {
    "default weight, std": std(layer.weight),
    "default output, std": std(output()),
    "default after ReLU, std": std(output().relu()),
  };
  nn.init.kaimingNormal_(layer.weight, { a: 1 });
  const linear = std(output());
  nn.init.kaimingNormal_(layer.weight);
  const normal = std(output().relu());
  nn.init.kaimingUniform_(layer.weight);
  return {
    ...figures,
    "normal, a = 1, output std": linear,
    "normal, a = 0, after ReLU, std": normal,
    "uniform, a = 0, after ReLU, std": std(output().relu()),
  };
}

/** Four convolutions to one number: what arrives at the end, and what comes back. */
function fourLayers(x: Tensor, y: Tensor): Figures {
  const conv = (inChannels: number, outChannels: number, kernelSize: number): nn.Conv2d =>
    new nn.Conv2d(inChannels, outChannels, kernelSize, { stride: 2, padding: Math.floor(kernelSize / 2) });
  const convs = [conv(1, 8, 5), conv(8, 16, 3), conv(16, 32, 3), conv(32, 1, 3)];
  const layers = convs.flatMap((layer, i) => (i < 3 ? [layer, new nn.ReLU()] : [layer]));
  const model = new nn.Sequential(...layers, new nn.AdaptiveAvgPool2d(1), new nn.Flatten());
  const look = (): readonly [output: number, gradient: number] => {
    const output = model.forward(x);
    F.mse(output.squeeze(-1), y.to("float32")).backward();
    const gradient = convs[0].weight.grad;
    if (gradient === undefined) throw new Error("the first layer got no gradient");
    convs[0].weight.grad = undefined;
    return [std(output), std(gradient)];
  };
  const before = look();
  for (const layer of convs) nn.init.kaimingUniform_(layer.weight);
  const after = look();
  return {
    "4 layers, default, output std": before[0],
    "4 layers, default, gradient std": before[1],
    "4 layers, Kaiming, output std": after[0],
    "4 layers, Kaiming, gradient std": after[1],
    "4 layers, output std grows": after[0] / before[0],
    "4 layers, gradient std grows": after[1] / before[1],
  };
}

/** A vector times matrix after matrix; how often until it is not finite, at most 100, and its deviation then. */
function manyProducts(scale: number): { readonly count: number; readonly std: number } {
  let x = randn([512, 1]);
  for (let count = 1; count <= 100; count++) {
    x = randn([512, 512]).mul(scale).matmul(x);
    if (!Number.isFinite(x.sum().item())) return { count, std: Number.NaN };
  }
  return { count: 100, std: std(x) };
}

/** Mean, and mean of squares, of a product with 512 inputs, over 100 draws. */
function oneProduct(scale: number, after: (y: Tensor) => Tensor): { readonly mean: number; readonly square: number } {
  let [mean, square] = [0, 0];
  for (let i = 0; i < 100; i++) {
    const y = after(
      randn([512, 512])
        .mul(scale)
        .matmul(randn([512, 1])),
    );
    mean += y.mean().item() / 100;
    square += y.square().mean().item() / 100;
  }
  return { mean, square };
}

const products = (): Figures => {
  const plain = oneProduct(1, (y) => y);
  const rectified = oneProduct(1, (y) => y.relu());
  const scaled = oneProduct(Math.sqrt(2 / 512), (y) => y.relu());
  return {
    "products until overflow": manyProducts(1).count,
    "100 products of 0.01·randn, std": manyProducts(0.01).std,
    "100 products of randn/√512, std": manyProducts(1 / Math.sqrt(512)).std,
    "product, mean of squares": plain.square,
    "rectified product, mean": rectified.mean,
    "rectified product, mean of squares": rectified.square,
    "scaled rectified product, mean": scaled.mean,
    "scaled rectified product, mean of squares": scaled.square,
  };
};

/** What the first block of experiment E's network gives; the mean over 20 starts, as each has 8 filters only. */
function firstBlock(x: Tensor): Figures {
  const sums = [0, 0, 0, 0];
  for (let start = 0; start < 20; start++) {
    const model = courseNetwork([8, 16, 32, 32], reluBlock);
    const look = (): Tensor => noGrad(() => model.at(0).forward(x));
    const before = look();
    initConvolutions(model, 0);
    const after = look();
    for (const [i, value] of [before.mean().item(), std(before), after.mean().item(), std(after)].entries()) {
      sums[i] += value / 20;
    }
  }
  return {
    "first block, default, mean": sums[0],
    "first block, default, std": sums[1],
    "first block, Kaiming, mean": sums[2],
    "first block, Kaiming, std": sums[3],
  };
}

/**
 * Bands are wide where a figure hangs on few random numbers, such as a layer's 8 or 32 filters, and narrow where the law of
 * large numbers holds.
 */
const initialisation: Experiment = {
  id: "H",
  title: "The arithmetic of initialisation: √5 and what it does",
  source: "fast.ai part 2 (2019), 02a_why_sqrt5 and 02b_initializing",
  settings: { data: "first 100 validation images of normalised MNIST; random numbers" },
  published: {
    "one layer": "weight .1156, output .5978, after ReLU .3653 and .3437",
    "one layer by Kaiming": "a = 1: 1.1067; a = 0 after ReLU: normal 1.0199, uniform 1.0921",
    "4 layers": "output .0065 to .4043, gradient .0333 to .4231",
    products: "overflow at 28; 0; .93; 516.8; 9.0 and 257; .564 and 1.006",
    "first block": ".1921, .3832; .4704, .9262",
  },
  run: async () => {
    const { x, y } = await hundredImages();
    return { ...oneLayer(x), ...fourLayers(x, y), ...products(), ...firstBlock(x) };
  },
  checks: [
    within("default weight, std", 0.109, 0.122),
    within("default output, std", 0.45, 0.75),
    within("default after ReLU, std", 0.25, 0.48),
    within("normal, a = 1, output std", 0.85, 1.35),
    within("normal, a = 0, after ReLU, std", 0.75, 1.35),
    within("uniform, a = 0, after ReLU, std", 0.75, 1.35),
    within("4 layers, default, output std", 0, 0.03),
    within("4 layers, Kaiming, output std", 0.1, 1.5),
    within("4 layers, output std grows", 10, 1000),
    within("4 layers, gradient std grows", 3, 1000),
    within("products until overflow", 26, 30),
    exactly("100 products of 0.01·randn, std", 0),
    within("100 products of randn/√512, std", 0.3, 3),
    within("product, mean of squares", 495, 530),
    within("rectified product, mean", 8.8, 9.25),
    within("rectified product, mean of squares", 246, 266),
    within("scaled rectified product, mean", 0.55, 0.58),
    within("scaled rectified product, mean of squares", 0.96, 1.04),
    within("first block, default, mean", 0.15, 0.27),
    within("first block, default, std", 0.3, 0.45),
    within("first block, Kaiming, mean", 0.36, 0.6),
    within("first block, Kaiming, std", 0.65, 1),
  ],
};

export const experiments: readonly Experiment[] = [initialisation];

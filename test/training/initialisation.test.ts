import { nn, randn, zeros } from "kindling";
import { expect, test } from "vitest";
import { judge } from "../../experiments/experiment.ts";
import {
  courseNetwork,
  generalBlock,
  initConvolutions,
  miniaiNetwork,
  miniaiResidual,
  normBlock,
  reluBlock,
} from "../../experiments/networks.ts";
import { experiments } from "../../experiments/programs/hInitialisation.ts";

const images = zeros([2, 1, 28, 28]);

test.each([1, 2])(
  "experiment H, the arithmetic of initialisation, lies in its bands with seed %i",
  async (seed) => {
    const { checks, report } = await judge(experiments[0], [seed]);
    expect(checks.flatMap(({ text, passed }) => (passed ? [] : [`${text}: ${String(report)}`]))).toEqual([]);
  },
  60_000,
);

test("gains and fans", () => {
  const gains = [1, 0, 0.01, 0.1, Math.sqrt(5)].map((a) => nn.init.calculateGain("leakyRelu", a));
  const wanted = [1, Math.SQRT2, 1.41414, 1.4072, 0.57735];
  for (const [i, gain] of gains.entries()) expect(gain).toBeCloseTo(wanted[i], 5);
  expect(nn.init.fanInAndFanOut(zeros([32, 1, 5, 5]))).toEqual({ fanIn: 25, fanOut: 800 });
  const uniform = nn.init.uniform_(zeros([100_000]), -1, 1);
  expect(uniform.std().item()).toBeCloseTo(1 / Math.sqrt(3), 2);
  // Bound 1/√fanIn: the √5 makes it so.
  const { weight } = new nn.Conv2d(64, 64, 3);
  expect(weight.std().item()).toBeCloseTo(1 / Math.sqrt(3 * 64 * 9), 3);
  expect(weight.abs().max().item()).toBeLessThanOrEqual(1 / Math.sqrt(64 * 9));
});

test("the networks of the course have their numbers of parameters", () => {
  const count = (model: nn.Module): number => nn.summary(model, images).parameters;
  expect(count(courseNetwork([8, 16, 32, 32], reluBlock))).toBe(15_594);
  expect(count(courseNetwork([8, 16, 32, 64, 64], reluBlock))).toBe(62_090);
  const running = courseNetwork(
    [8, 16, 32, 64, 64],
    normBlock((channels) => new nn.RunningBatchNorm(channels)),
  );
  // The biases of the convolutions, 184, give way to a scale and a shift each.
  expect(count(running)).toBe(62_090 + 184);
});

/** What the source prints; its convolutions before a batch norm have biases, which do nothing, and ours have none. */
const residual = [
  { name: "resnet", parameters: 1_228_908, redundant: 1008 },
  { name: "model2", parameters: 4_907_588, redundant: 2016, mflops: 33.0 },
  { name: "model3", parameters: 1_231_428, redundant: 992, mflops: 18.3 },
  { name: "model4", parameters: 1_224_948, redundant: 976, mflops: 13.3 },
] as const;

test.each(residual)("$name of miniai, as its summary() has it", (wanted) => {
  const model = miniaiResidual[wanted.name]();
  const summary = nn.summary(model, images);
  expect(summary.parameters).toBe(wanted.parameters - wanted.redundant);
  const missing = [...model.modules()].filter((layer) => layer instanceof nn.Conv2d && layer.bias === undefined);
  expect(missing.reduce((sum, layer) => sum + (layer instanceof nn.Conv2d ? layer.outChannels : 0), 0)).toBe(
    wanted.redundant,
  );
  if ("mflops" in wanted) expect(asMiniaiCounts(model).toFixed(1)).toBe(wanted.mflops.toFixed(1));
});

/** miniai counts each weight of a convolution once per place of the whole block's output. */
function asMiniaiCounts(model: nn.Sequential): number {
  const { rows } = nn.summary(model, images);
  return [...model].reduce((sum, block, i) => {
    const output = rows.find(({ path }) => path === String(i))?.outputs[0] ?? [];
    const [height, width] = output.length === 4 ? output.slice(2) : [1, 1];
    const count = ({ rank, numel }: { rank: number; numel: number }): number =>
      rank < 3 ? numel : numel * height * width;
    return sum + block.parameters().reduce((part, p) => part + count({ rank: p.rank, numel: p.numel() }), 0) / 1e6;
  }, 0);
}

test("the residual network's activations shrink as the source's do", () => {
  const { rows } = nn.summary(miniaiResidual.resnet(), zeros([1, 1, 28, 28]));
  const outputs = rows.filter(({ path }) => /^\d+$/.test(path)).map(({ outputs: [shape] }) => shape.slice(1));
  const wanted = [[8, 28, 28], [16, 14, 14], [32, 7, 7], [64, 4, 4], [128, 2, 2], [256, 1, 1], [256], [10], [10]];
  expect(outputs).toEqual(wanted);
});

test("summary prints shapes, parameters and MFLOPs of a rung", () => {
  const lines = String(nn.summary(miniaiNetwork(), images)).split("\n");
  expect(lines[0]).toMatch(/^Module +Output +Parameters +MFLOPs$/);
  expect(lines.find((line) => line.includes("0.0: Conv2d"))).toMatch(/\[2, 8, 14, 14\] +80 +0\.0141$/);
  expect(lines.at(-1)).toBe("30,154 parameters, 30,154 of them trainable, 0.2 MFLOPs");
});

test("LSUV brings every layer of the course's deeper network to mean 0 and deviation 1", () => {
  const model = initConvolutions(courseNetwork([8, 16, 32, 64, 64], generalBlock({ sub: 0 })), 0.1);
  const modules = [...model.modules()];
  const activations = modules.filter((module) => module instanceof nn.GeneralRelu);
  const pairs = modules
    .filter((module) => module instanceof nn.Conv2d)
    .map((layer, i) => ({ layer, output: activations[i] }));
  for (const { before, after, converged } of nn.lsuv(model, randn([64, 1, 28, 28]), { pairs })) {
    expect(converged).toBe(true);
    expect(Math.abs(after.mean)).toBeLessThan(1e-3);
    expect(Math.abs(after.std - 1)).toBeLessThan(1e-3);
    expect(Math.abs(before.std - 1)).toBeGreaterThan(1e-3);
  }
});

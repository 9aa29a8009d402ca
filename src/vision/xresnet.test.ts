import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { expectClose } from "../../test/close.ts";
import { devices } from "../../test/conformance/devices.ts";
import { values } from "../../test/conformance/images.ts";
import { fill } from "../../test/conformance/layers.ts";
import { crossEntropy } from "../nn/functional.ts";
import * as nn from "../nn/index.ts";
import { noGrad, type Tensor, tensor, zeros } from "../tensor/index.ts";
import { XResBlock, xresnet, xresnet18, xresnet34, xresnet50, xresnet101, xresnet152 } from "./xresnet.ts";

interface NetworkCase {
  readonly network: string;
  readonly blocks: readonly number[];
  readonly expansion: 1 | 4;
  readonly keys: readonly string[];
  readonly result: readonly number[];
  readonly input: readonly number[];
  readonly digest: Readonly<Record<string, readonly number[]>>;
  readonly inUse: readonly number[];
}

const cases: NetworkCase[] = JSON.parse(
  readFileSync(new URL("../../test/golden/xresnet.json", import.meta.url), "utf8"),
);

/** What makeNn.py keeps of a gradient: its weighed sum and its length. */
function digest(x: Tensor | undefined): number[] {
  if (x === undefined) return [0, 0];
  const weights = values(x.shape, 9, { device: x.device, dtype: "float32" }).to(x.dtype);
  return [x.mul(weights).sum().item(), x.norm().item()];
}

describe.each(devices)("xresnets on %s", (device) => {
  test.each(cases.map((golden) => [golden.network, golden] as const))(
    "%s computes results and gradients as PyTorch's, under its names",
    (_, golden) => {
      const setting = { device, dtype: "float32" } as const;
      const model = xresnet(golden.blocks, golden.expansion, { classes: 10 }).to(device);
      expect([...model.stateDict().keys()]).toEqual(golden.keys);
      fill(model, setting);
      const x = values([12, 3, 32, 32], 1, setting);
      x.requiresGrad = true;
      const y = model.forward(x);
      const tolerance = { rtol: 2e-3, atol: 2e-3 };
      expectClose(y, golden.result, tolerance);
      crossEntropy(y, tensor([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], { dtype: "int32", device })).backward();
      // A weighed sum of thousands of numbers of both signs is as exact as their length allows.
      const check = (actual: readonly number[], wanted: readonly number[]): void =>
        expectClose(actual, wanted, { rtol: 1e-2, atol: 1e-2 * wanted[1] + 1e-6 });
      check(digest(x.grad), golden.input);
      for (const [key, p] of model.namedParameters()) check(digest(p.grad), golden.digest[key]);
      model.eval();
      expectClose(
        noGrad(() => model.forward(x)),
        golden.inUse,
        tolerance,
      );
    },
  );
});

const count = (model: nn.AnyModule): number => model.parameters().reduce((sum, p) => sum + p.numel(), 0);

test.each([
  ["xresnet18", xresnet18, 11_228_586, 11_736_456],
  ["xresnet34", xresnet34, 21_336_746, 21_844_616],
  ["xresnet50", xresnet50, 23_575_466, 25_603_976],
  ["xresnet101", xresnet101, 42_567_594, 44_596_104],
  ["xresnet152", xresnet152, 58_211_242, 60_239_752],
] as const)("%s has as many parameters as the course's", (_, make, ten, thousand) => {
  const model = make({ classes: 10 });
  expect(count(model)).toBe(ten);
  const head = model.at(-1);
  if (!(head instanceof nn.Linear)) throw new Error("the last layer is no Linear");
  expect(ten - count(head) + head.inFeatures * 1000 + 1000).toBe(thousand);
});

test("activations of xresnet18 have the course's shapes, and its state dict the course's keys", () => {
  const model = xresnet18({ classes: 10 }).eval();
  const shapes: string[] = [];
  const hooks = new nn.Hooks(model.children(), (_, __, y) => {
    if (typeof y === "object" && y !== null && "shape" in y) shapes.push(String(y.shape));
  });
  hooks.use(() => noGrad(() => model.forward(zeros([2, 3, 128, 128]))));
  expect(shapes).toEqual([
    "2,32,64,64",
    "2,64,64,64",
    "2,64,64,64",
    "2,64,32,32",
    "2,64,32,32",
    "2,128,16,16",
    "2,256,8,8",
    "2,512,4,4",
    "2,512,1,1",
    "2,512",
    "2,10",
  ]);
  const keys = [...model.stateDict().keys()];
  expect(keys.slice(0, 6).join()).toBe(
    "0.0.weight,0.1.weight,0.1.bias,0.1.running_mean,0.1.running_var,0.1.num_batches_tracked",
  );
  expect(keys.slice(-2)).toEqual(["10.weight", "10.bias"]);
});

test("the last scale of every block starts at 0, so that a block starts as its short cut", () => {
  const block = new XResBlock(1, 4, 4);
  const x = values([2, 4, 5, 5], 1, { device: zeros([]).device, dtype: "float32" });
  expectClose(block.forward(x), x.relu());
  expect(xresnet18({ inChannels: 1, classes: 10 }).forward(zeros([2, 1, 32, 32])).shape).toEqual([2, 10]);
});

test("what cannot be built is refused", () => {
  expect(() => xresnet18({ classes: 0 })).toThrow("must be a whole number from 1, got 0");
  expect(() => xresnet18({ inChannels: 1.5 })).toThrow("1.5");
  expect(() => xresnet([], 1)).toThrow("4 numbers of blocks, got 0");
  expect(() => xresnet([1, 0, 1, 1], 1)).toThrow("got 0");
  expect(() => xresnet18({ classes: 10 }).forward(zeros([2, 1, 32, 32]))).toThrow("channels");
});

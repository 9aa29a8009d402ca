import { describe, expect, test } from "vitest";
import { manualSeed, nn, noGrad, randn, type Tensor } from "../../src/index.ts";
import { XResBlock } from "../../src/vision/xresnet.ts";
import { expectClose } from "../close.ts";
import { devices } from "./devices.ts";

const outcome = (model: nn.Module, x: Tensor): Tensor[] => {
  for (const p of model.parameters()) p.grad = undefined;
  const y = model.forward(x);
  y.square().sum().backward();
  return [y, ...model.parameters().map((p) => p.grad?.clone() ?? p)];
};

/** The same network seen by hooks everywhere, so that nothing is fused and no memory reused. */
const watched = (model: nn.Module, x: Tensor): { results: Tensor[]; seen: Tensor[] } => {
  const seen: Tensor[] = [];
  const hooks = new nn.Hooks(model.modules(), (_, __, output) => {
    seen.push(output as Tensor);
  });
  return { results: hooks.use(() => outcome(model, x)), seen };
};

describe.each(devices)("values between layers on %s", (device) => {
  const makers: [string, () => nn.Module][] = [
    ["blocks", () => new nn.Sequential(nn.convBlock(3, 8), nn.convBlock(8, 8, { stride: 1 }), nn.convBlock(8, 4))],
    [
      "residual blocks",
      () => new nn.Sequential(nn.convBlock(3, 4), new nn.ResBlock(4, 4), new nn.ResBlock(4, 6, { stride: 2 })),
    ],
    [
      "other activations",
      () =>
        new nn.Sequential(
          nn.convBlock(3, 4, { activation: () => new nn.GeneralRelu({ leak: 0.1, sub: 0.4 }) }),
          nn.convBlock(4, 4, { activation: () => new nn.LeakyReLU(0.2), stride: 1 }),
          nn.convBlock(4, 4, { activation: () => new nn.GeneralRelu({ leak: 0.1, max: 0.5 }), stride: 1 }),
          new nn.MaxPool2d(2),
        ),
    ],
    [
      "linear layers",
      () =>
        new nn.Sequential(
          nn.convBlock(3, 4),
          new nn.Flatten(),
          new nn.Linear(256, 20),
          new nn.ReLU(),
          new nn.Linear(20, 9, { bias: false }),
          new nn.ReLU(),
          new nn.Linear(9, 3),
        ),
    ],
    ["xresnet blocks", () => new nn.Sequential(nn.convBlock(3, 4), new XResBlock(1, 4, 6, 2), new XResBlock(1, 6, 6))],
  ];

  test.each(makers)("%s give the same results whether they are watched or not", (_, make) => {
    manualSeed(3);
    const model = make();
    for (const p of model.parameters()) if (p.rank === 1) noGrad(() => p.add_(0.3)); // scales of 0 hide their layers
    if (device !== "cpu") model.to(device);
    const x = randn([4, 3, 16, 16], { device });
    for (const mode of [false, true]) {
      model.train(mode);
      const first = outcome(model, x);
      const { results } = watched(model, x);
      for (const [i, value] of first.entries()) expectClose(value, results[i], { rtol: 1e-4, atol: 1e-4 });
    }
    const { seen } = watched(model, x);
    const before = seen.map((value) => value.toArray());
    outcome(model, x); // takes memory that was given back
    expect(seen.map((value) => value.toArray())).toEqual(before);
  });

  test.each(makers)("%s keep results that were handed out, also without recording", (_, make) => {
    manualSeed(4);
    const model = make();
    if (device !== "cpu") model.to(device);
    model.eval();
    const x = randn([4, 3, 16, 16], { device });
    const results = [1, 2, 3].map(() => noGrad(() => model.forward(x)));
    for (const y of results) expect(y.toArray()).toEqual(results[0].toArray());
  });

  test("a graph may be gone through twice", () => {
    manualSeed(5);
    const model = new nn.Sequential(nn.convBlock(3, 4), nn.convBlock(4, 4));
    if (device !== "cpu") model.to(device);
    const y = model
      .forward(randn([2, 3, 16, 16], { device }))
      .square()
      .sum();
    y.backward({ retainGraph: true });
    const once = model.parameters().map((p) => p.grad?.clone());
    y.backward();
    model.parameters().forEach((p, i) => {
      const [sum, single] = [p.grad, once[i]];
      if (sum === undefined || single === undefined) throw new Error("no gradient");
      expectClose(sum, single.mul(2), { rtol: 1e-4, atol: 1e-4 });
    });
  });
});

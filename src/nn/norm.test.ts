import { expect, test } from "vitest";
import { randn, type Tensor, tensor } from "../tensor/index.ts";
import * as nn from "./index.ts";

test("norms between layers give their memory back and leave the gradients alone", () => {
  const layers = [
    new nn.Conv2d(3, 4, 3),
    new nn.GroupNorm(2, 4),
    new nn.ReLU(),
    new nn.InstanceNorm2d(4, { affine: true }),
    new nn.LayerNorm([4, 4]),
    new nn.ReLU(),
  ];
  const model = new nn.Sequential(...layers);
  const values = randn([2, 3, 6, 6]);
  const between: Tensor[] = [];
  const gradients = [
    (x: Tensor): Tensor => model.forward(x),
    (x: Tensor): Tensor =>
      layers.reduce((h, layer) => {
        between.push(h);
        return layer.forward(h);
      }, x),
  ].map((forward) => {
    const x = values.clone();
    x.requiresGrad = true;
    model.zeroGrad();
    forward(x).square().sum().backward();
    return [x, ...model.parameters()].map((leaf) => leaf.grad?.toArray());
  });
  expect(gradients[0]).toEqual(gradients[1]);
  expect(between.some((h) => h.storage.released)).toBe(false);

  const norm = new nn.GroupNorm(2, 4);
  const seen: Tensor[] = [];
  const watched = new nn.Sequential(new nn.ReLU(), norm, new nn.ReLU());
  expect(watched._isContained).toBe(true);
  const forward = norm.forward.bind(norm);
  norm.forward = (x: Tensor): Tensor => {
    seen.push(x);
    return forward(x);
  };
  expect(watched._isContained).toBe(false);
  watched.forward(randn([2, 4]));
  expect(seen[0].storage.released).toBe(false);
});

test("a gradient that is set to undefined gives its memory back, unless somebody has looked at it", () => {
  const x = tensor([1, 2], { requiresGrad: true });
  const released = [false, true].map((looks) => {
    x.mul(3).sum().backward();
    const storage = x._grad?.storage;
    if (looks) expect(x.grad?.toArray()).toEqual([3, 3]);
    x.grad = undefined;
    return storage?.released;
  });
  expect(released).toEqual([true, false]);
});

import { describe, expect, test } from "vitest";
import { expectSame } from "../../test/close.ts";
import { ArgumentError, manualSeed, nn, randn, zeros } from "../index.ts";

function convNet(): { model: nn.Sequential; pairs: { layer: nn.Conv2d; output: nn.GeneralRelu }[] } {
  const sizes = [1, 8, 16, 32];
  const pairs = [0, 1, 2].map((i) => ({
    layer: new nn.Conv2d(sizes[i], sizes[i + 1], 3, { stride: 2, padding: 1 }),
    output: new nn.GeneralRelu({ leak: 0.1, sub: 0.4 }),
  }));
  return { model: new nn.Sequential(...pairs.flatMap(({ layer, output }) => [layer, output])), pairs };
}

describe("LSUV", () => {
  test("brings mean and deviation of every activation to 0 and 1, both", () => {
    manualSeed(3);
    const { model, pairs } = convNet();
    const batch = randn([64, 1, 28, 28]).mul(0.3).add(0.5);
    const results = nn.lsuv(model, batch, { pairs });
    expect(results.map((result) => result.path)).toEqual(["0", "2", "4"]);
    let h = batch;
    for (const [i, { layer, output }] of pairs.entries()) {
      const { before, after, iterations, converged } = results[i];
      expect(converged).toBe(true);
      expect(Math.abs(before.std - 1)).toBeGreaterThan(0.1);
      expect(iterations).toBeLessThan(10);
      h = output.forward(layer.forward(h)).detach();
      expect(Math.abs(h.mean().item())).toBeLessThan(1e-3);
      expect(Math.abs(h.std().item() - 1)).toBeLessThan(1e-3);
      expect(after.mean).toBeCloseTo(h.mean().item(), 5);
    }
  });

  test("looks at each weighted layer's own output where no pairs are given, and shifts biases", () => {
    manualSeed(4);
    const layers = [new nn.Linear(20, 30), new nn.Linear(30, 10, { bias: false })];
    const model = new nn.Sequential(layers[0], new nn.ReLU(), layers[1]);
    const batch = randn([512, 20]);
    const results = nn.lsuv(model, batch);
    expect(results.map((result) => result.converged)).toEqual([true, true]);
    const first = layers[0].forward(batch);
    expect(Math.abs(first.mean().item())).toBeLessThan(1e-3);
    expect(model.forward(batch).std().item()).toBeCloseTo(1, 2);
  });

  test("gives up on what cannot be reached, and leaves the layer at its best", () => {
    manualSeed(5);
    const [layer, output] = [new nn.Linear(20, 30), new nn.ReLU()];
    const model = new nn.Sequential(layer, output);
    const batch = randn([256, 20]);
    const [result] = nn.lsuv(model, batch, { pairs: [{ layer, output }], maxIterations: 7 });
    expect(result.converged).toBe(false);
    expect(result.iterations).toBeLessThanOrEqual(7);
    const y = model.forward(batch);
    expect(y.std().item()).toBeCloseTo(result.after.std, 4);
    const distance = ({ mean, std }: { mean: number; std: number }) => Math.max(Math.abs(mean), Math.abs(std - 1));
    expect(distance(result.after)).toBeLessThanOrEqual(distance(result.before));
  });

  test("leaves a layer whose outputs are all alike as it is", () => {
    const layer = new nn.Linear(3, 2, { bias: false });
    const before = layer.weight.detach().clone();
    const [result] = nn.lsuv(new nn.Sequential(layer), zeros([8, 3]));
    expect([result.converged, result.iterations]).toEqual([false, 0]);
    expectSame(layer.weight.detach(), before);
  });

  test("keeps the modes of the modules and leaves no hooks", () => {
    const frozen = new nn.Dropout(0.5).eval();
    const layer = new nn.Linear(4, 4);
    const model = new nn.Sequential(frozen, layer);
    nn.lsuv(model, randn([64, 4]));
    expect([model.training, frozen.training, layer.training]).toEqual([true, false, true]);
    expect(Object.hasOwn(layer, "forward")).toBe(false);
    expect(layer.weight.requiresGrad).toBe(true);
    const kept = layer.weight.detach().clone();
    nn.lsuv(model, randn([64, 4]), { tolerance: 10 });
    expectSame(layer.weight.detach(), kept);
  });

  test("refuses what is not in the model", () => {
    const model = new nn.Sequential(new nn.Linear(2, 2));
    const [stranger, layer] = [new nn.Linear(2, 2), new nn.Linear(2, 2)];
    const batch = randn([4, 2]);
    expect(() => nn.lsuv(model, batch, { pairs: [{ layer: stranger, output: model }] })).toThrow(ArgumentError);
    const held = new nn.Sequential(layer);
    expect(() => nn.lsuv(held, batch, { pairs: [{ layer, output: stranger }] })).toThrow(/takes no part/);
    expect(() => nn.lsuv(model, batch, { maxIterations: 0 })).toThrow(ArgumentError);
  });
});

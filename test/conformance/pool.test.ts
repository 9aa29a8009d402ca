import { describe, expect, test } from "vitest";
import * as adaptive from "../../src/tensor/adaptivePool.ts";
import { ones, type Tensor, tensor } from "../../src/tensor/index.ts";
import type { PerAxis } from "../../src/tensor/ops/window.ts";
import * as pool from "../../src/tensor/pool.ts";
import { devices } from "./devices.ts";
import { checkResult, checkSecondGradients, type ImageCase, inputsOf, loadCases, settings, values } from "./images.ts";

interface PoolCase extends ImageCase {
  readonly kernel: PerAxis;
  readonly options: pool.MaxPoolOptions & pool.AveragePoolOptions;
}

const functions: Record<string, (x: Tensor, kernel: PerAxis, options: PoolCase["options"]) => Tensor> = {
  ...pool,
  ...adaptive,
};
const cases = loadCases("pool", (golden): golden is PoolCase => "kernel" in golden);

describe.each(devices)("%s pools as PyTorch:", (device) => {
  test.each(
    cases.map(
      (golden) =>
        [`${golden.op} ${golden.kernel} of [${golden.inputs[0]}] ${JSON.stringify(golden.options)}`, golden] as const,
    ),
  )("%s", (_, golden) => {
    for (const setting of settings) {
      const [x] = inputsOf(golden, { device, ...setting });
      if (x === undefined) throw new Error("a case needs an input");
      checkResult(golden, { device, ...setting }, [x], functions[golden.op](x, golden.kernel, golden.options));
    }
  });

  test("gradients of gradients equal finite differences", () => {
    const x = values([1, 2, 5, 4], 1, { device, dtype: "float64" });
    checkSecondGradients((a) => pool.maxPool2d(a.mul(a), 3, { stride: 2, padding: 1 }), [x]);
    checkSecondGradients((a) => pool.avgPool2d(a, 3, { stride: 2, padding: 1, countIncludePad: false }).square(), [x]);
    checkSecondGradients((a) => adaptive.adaptiveAvgPool2d(a, [2, 3]).square(), [x]);
  });

  test("NaN wins, and the gradient goes to it", () => {
    const x = tensor([[[1, Number.NaN, 3, 2]]], { device, requiresGrad: true });
    const y = pool.maxPool1d(x, 2);
    expect(y.toArray()).toEqual([[[Number.NaN, 3]]]);
    y.sum().backward();
    expect(x.grad?.toArray()).toEqual([[[0, 1, 1, 0]]]);
  });

  test("windows of minus infinity alone keep a place inside the image", () => {
    const x = tensor([[[-Infinity, -Infinity, -Infinity]]], { device, requiresGrad: true });
    pool.maxPool1d(x, 3, { padding: 1, stride: 2 }).sum().backward();
    expect(x.grad?.sum().item()).toBe(2);
  });

  test("an empty batch stays empty", () => {
    const x = ones([0, 2, 4, 4], { device, requiresGrad: true });
    for (const y of [pool.maxPool2d(x, 2), pool.avgPool2d(x, 2)]) {
      expect(y.shape).toEqual([0, 2, 2, 2]);
      y.sum().backward();
    }
    expect(x.grad?.shape).toEqual([0, 2, 4, 4]);
  });

  test("what does not fit is refused", () => {
    const x = ones([1, 1, 4, 4], { device });
    expect(() => pool.maxPool2d(x, 5)).toThrow("larger than the input");
    expect(() => pool.avgPool2d(x, 2, { padding: 2 })).toThrow("at most half the kernel");
    expect(() => pool.maxPool2d(x, [2, 2, 2])).toThrow("kernel size must be");
    expect(() => pool.maxPool2d(ones([4, 4], { device }), 2)).toThrow("(2 ≠ 4)");
    expect(() => adaptive.adaptiveAvgPool2d(x, 0)).toThrow("output size must be");
  });
});

import { describe, expect, test } from "vitest";
import { expectClose } from "../../test/close.ts";
import { devices } from "../../test/conformance/devices.ts";
import { nn, tensor } from "../index.ts";

describe.each(devices)("GeneralRelu on %s", (device) => {
  const values = [-Infinity, -3, -0.5, 0, 0.25, 2, 6.5, 7, Infinity, NaN];

  test.each([
    {},
    { leak: 0.1 },
    { sub: 0.5 },
    { max: 6 },
    { leak: 0.1, sub: 0.5 },
    { leak: 0.1, max: 6 },
    { sub: 0.5, max: 6 },
    { leak: 0.1, sub: 0.5, max: 6 },
  ])("is leaky, less something, and limited: %o", (options) => {
    const x = tensor(values, { device, requiresGrad: true });
    const y = new nn.GeneralRelu(options).forward(x);
    const { leak = 0, sub = 0, max = Infinity } = options;
    const below = (value: number): number => (leak === 0 ? 0 : leak * value);
    const result = values.map((value) => Math.min((value <= 0 ? below(value) : value) - sub, max));
    expectClose(y, result);
    y.sum().backward();
    // The gradient passes at the limit (6.5 − 0.5 = 6) and through NaN, as PyTorch's clamp has it.
    const slopes = values.map((value, i) => (result[i] > max || value - sub > max ? 0 : value <= 0 ? leak : 1));
    expectClose(x.grad ?? x, slopes);
  });

  test("its subtraction may change, as LSUV does", () => {
    const layer = new nn.GeneralRelu({ sub: 1 });
    layer.sub = 0.5;
    expect(layer.forward(tensor([2], { device })).toArray()).toEqual([1.5]);
  });
});

test("GeneralRelu prints the parts it has", () => {
  expect(String(new nn.GeneralRelu({ leak: 0.1, max: 6 }))).toBe("GeneralRelu(leak=0.1, max=6)");
});

import { describe, expect, test } from "vitest";
import {
  type ConvOptions,
  type ConvTransposeOptions,
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
} from "../../src/tensor/conv.ts";
import { noGrad, ones, randn, type Tensor } from "../../src/tensor/index.ts";
import { devices } from "./devices.ts";
import { checkResult, checkSecondGradients, type ImageCase, inputsOf, loadCases, settings, values } from "./images.ts";

interface ConvCase extends ImageCase {
  readonly options: ConvOptions & ConvTransposeOptions;
}

const functions: Record<string, typeof conv1d | typeof convTranspose1d> = {
  conv1d,
  conv2d,
  conv3d,
  convTranspose1d,
  convTranspose2d,
  convTranspose3d,
};
const cases = loadCases("conv", (golden): golden is ConvCase => "options" in golden);

function run({ op, options }: ConvCase, [x, w, b]: readonly (Tensor | undefined)[]): Tensor {
  if (x === undefined || w === undefined) throw new Error("a case needs input and weight");
  return functions[op](x, w, b, options);
}

function nameOf({ op, inputs: [x, w], options }: ConvCase): string {
  return `${op} [${x}] with [${w}] ${JSON.stringify(options)}`;
}

describe.each(devices)("%s convolves as PyTorch:", (device) => {
  test.each(cases.map((golden) => [nameOf(golden), golden] as const))("%s", (_, golden) => {
    for (const setting of settings) {
      const inputs = inputsOf(golden, { device, ...setting });
      checkResult(golden, { device, ...setting }, inputs, run(golden, inputs));
    }
  });

  test("gradients of gradients equal finite differences", () => {
    const setting = { device, dtype: "float64" } as const;
    const x = values([1, 4, 4, 3], 1, setting);
    const squared = (y: Tensor): Tensor => y.mul(y);
    checkSecondGradients(
      (a, w, b) => squared(conv2d(a, w, b, { stride: [2, 1], padding: 1, groups: 2 })),
      [x, values([2, 2, 3, 2], 2, setting), values([2], 3, setting)],
    );
    checkSecondGradients(
      (a, w) => squared(convTranspose2d(a, w, undefined, { stride: 2, padding: 1, outputPadding: 1 })),
      [x, values([4, 1, 3, 2], 2, setting)],
    );
  });

  test("an empty batch gives an empty result and gradients of zero", () => {
    const w = ones([2, 3, 3, 3], { device, requiresGrad: true });
    const y = conv2d(ones([0, 3, 5, 5], { device }), w);
    expect(y.shape).toEqual([0, 2, 3, 3]);
    y.sum().backward();
    expect(w.grad?.abs().sum().item()).toBe(0);
  });

  test("channels-last goes in and comes out", () => {
    const x = randn([2, 3, 6, 6], { device }).contiguous({ memoryFormat: "channelsLast" });
    const y = noGrad(() => conv2d(x, ones([4, 3, 3, 3], { device })));
    expect(y.isContiguous({ memoryFormat: "channelsLast" })).toBe(true);
  });

  test("what does not fit is refused with both values", () => {
    const x = ones([1, 3, 8, 8], { device });
    const w = ones([4, 3, 3, 3], { device });
    const refused = (call: () => Tensor): string => {
      try {
        call();
      } catch (error) {
        return String(error);
      }
      return "nothing was refused";
    };
    expect(refused(() => conv2d(ones([1, 2, 8, 8], { device }), w))).toContain("(2 ≠ 3 channels)");
    expect(refused(() => conv2d(x, w, undefined, { groups: 2 }))).toContain("(3 ≠ 6 channels)");
    expect(refused(() => conv2d(x, w, ones([3], { device })))).toContain("it must be [4]");
    expect(refused(() => conv2d(x, ones([4, 3, 9, 9], { device })))).toContain("larger than the input");
    expect(refused(() => conv2d(ones([8, 8], { device }), w))).toContain("(2 ≠ 4)");
    expect(refused(() => conv2d(x, w, undefined, { stride: 0 }))).toContain("stride must be a whole number from 1");
    expect(refused(() => conv2d(x, w, undefined, { padding: "same", stride: 2 }))).toContain('padding "same"');
    expect(refused(() => conv2d(x, w.to("float64")))).toContain("dtypes must be equal");
    expect(
      refused(() => convTranspose2d(x, ones([3, 2, 2, 2], { device }), undefined, { outputPadding: 1 })),
    ).toContain("must be less than stride");
  });
});

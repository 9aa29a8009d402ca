import { describe, expect, test } from "vitest";
import { scaledDotProductAttention } from "../../src/tensor/attention.ts";
import { ones, type Tensor, tensor } from "../../src/tensor/index.ts";
import { type InterpolateOptions, interpolate } from "../../src/tensor/upsample.ts";
import { devices } from "./devices.ts";
import { checkResult, type ImageCase, inputsOf, loadCases, settings } from "./images.ts";

interface ResizeCase extends ImageCase {
  readonly op: "interpolate";
  readonly options: InterpolateOptions;
}

interface AttentionCase extends ImageCase {
  readonly options: { readonly isCausal?: boolean; readonly mask?: number[][] };
}

const resizes = loadCases("resize", (golden): golden is ResizeCase => golden.op === "interpolate");
const attentions = loadCases("resize", (golden): golden is AttentionCase => golden.op === "attention");

function attend({ options }: AttentionCase, [q, k, v]: readonly (Tensor | undefined)[]): Tensor {
  if (q === undefined || k === undefined || v === undefined) throw new Error("a case needs query, key and value");
  const mask = options.mask && tensor(options.mask.flat(), { shape: [4, 5], dtype: "bool", device: q.device });
  return scaledDotProductAttention(q, k, v, { mask, isCausal: options.isCausal ?? false });
}

describe.each(devices)("%s as PyTorch:", (device) => {
  test.each(resizes.map((golden) => [`[${golden.inputs[0]}] ${JSON.stringify(golden.options)}`, golden] as const))(
    "interpolate %s",
    (_, golden) => {
      for (const setting of settings) {
        const [x] = inputsOf(golden, { device, ...setting });
        if (x === undefined) throw new Error("a case needs an input");
        checkResult(golden, { device, ...setting }, [x], interpolate(x, golden.options));
      }
    },
  );

  test.each(attentions.map((golden) => [JSON.stringify(golden.options), golden] as const))(
    "attention %s",
    (_, golden) => {
      for (const setting of settings.filter(({ memoryFormat }) => memoryFormat === "contiguous")) {
        const inputs = inputsOf(golden, { device, ...setting });
        checkResult(golden, { device, ...setting }, inputs, attend(golden, inputs));
      }
    },
  );

  test("what does not fit is refused", () => {
    const x = ones([1, 1, 4, 4], { device });
    expect(() => interpolate(x, {})).toThrow("exactly one of size and scaleFactor");
    expect(() => interpolate(x, { size: 2, mode: "linear" })).toThrow('use "nearest" or "bilinear"');
    expect(() => interpolate(x, { scaleFactor: 0.1 })).toThrow("is empty");
    expect(() => scaledDotProductAttention(ones([2, 3]), ones([2, 4]), ones([2, 4]))).toThrow("(3 ≠ 4 features)");
  });
});

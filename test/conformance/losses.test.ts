import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { DTypeError, IndexError, ShapeError } from "../../src/backend/errors.ts";
import * as F from "../../src/nn/functional.ts";
import { ones, randn, type Tensor, tensor, zeros } from "../../src/tensor/index.ts";
import { expectClose } from "../close.ts";
import { devices } from "./devices.ts";
import { values } from "./images.ts";

interface Target {
  readonly shape: readonly number[];
  readonly data?: readonly number[];
  readonly soft?: "any" | "classes";
}

interface LossCase {
  readonly loss: keyof typeof losses;
  readonly x: readonly number[];
  readonly data?: readonly number[];
  readonly target: Target;
  readonly options: {
    readonly reduction: F.Reduction;
    readonly weight?: readonly number[];
    readonly [name: string]: unknown;
  };
  readonly shape: readonly number[];
  readonly result: readonly number[];
  readonly gradients: readonly (readonly number[] | null)[];
}

const { crossEntropy, nll, mse, l1, smoothL1, binaryCrossEntropyWithLogits } = F;
const losses = { crossEntropy, nll, mse, l1, smoothL1, binaryCrossEntropyWithLogits };
const cases: LossCase[] = JSON.parse(readFileSync(new URL("../golden/losses.json", import.meta.url), "utf8"));

function targetOf({ shape, data, soft }: Target, setting: { device: string; dtype: "float32" | "float64" }): Tensor {
  if (data !== undefined) return tensor(Int32Array.from(data), { shape, dtype: "int32", device: setting.device });
  const made = values(shape, 2, setting);
  const result = soft === "any" ? made.add(1).div(2) : made.softmax(1);
  result.requiresGrad = true;
  return result;
}

describe.each(devices)("%s computes losses as PyTorch:", (device) => {
  test.each(
    cases.map((golden) => {
      const target = golden.target.data === undefined ? `probabilities [${golden.target.shape}]` : golden.target.data;
      return [`${golden.loss} of [${golden.x}], ${target} ${JSON.stringify(golden.options)}`, golden] as const;
    }),
  )("%s", (_, golden) => {
    for (const dtype of ["float32", "float64"] as const) {
      const setting = { device, dtype };
      const x = golden.data
        ? tensor([...golden.data], { shape: golden.x, dtype, device })
        : values(golden.x, 1, setting).mul(3);
      x.requiresGrad = true;
      const y = targetOf(golden.target, setting);
      const { weight, ...options } = golden.options;
      const weighted = weight === undefined ? options : { ...options, weight: tensor([...weight], { dtype, device }) };
      const result = losses[golden.loss](x, y, weighted);
      const tolerance = dtype === "float64" ? { rtol: 1e-7, atol: 1e-8 } : { rtol: 1e-5, atol: 1e-6 };
      expect(result.shape).toEqual(golden.shape);
      expectClose(result, golden.result.map(Number), tolerance);
      result
        .mul(values(golden.shape, 9, setting))
        .sum()
        .backward();
      [x, y].forEach((side, i) => {
        const wanted = golden.gradients[i];
        if (wanted !== null) expectClose(side.grad ?? zeros(side.shape, { dtype, device }), wanted, tolerance);
      });
    }
  });

  test("the gates: cross-entropy is nll of the log-softmax, and both are what the notes print", () => {
    const predictions = tensor(
      [
        [0.01, 0.98, 0.01],
        [0.001, 0.001, 0.998],
      ],
      { device },
    );
    const targets = tensor([1, 2], { dtype: "int32", device });
    expect(F.nll(predictions.log(), targets).item()).toBeCloseTo(0.011102, 6);
    const logits = randn([64, 10], { device }).mul(1000);
    const classes = logits.flip(1).argmax(1);
    expectClose(F.crossEntropy(logits, classes), F.nll(logits.logSoftmax(1), classes));
    expect(F.crossEntropy(zeros([2, 10], { device }), targets).item()).toBeCloseTo(Math.log(10), 5);
  });

  test("targets may be uint8; a mean over none is NaN; ignored targets keep infinities away", () => {
    const logits = randn([3, 4], { device });
    const bytes = tensor([3, 0, 2], { dtype: "uint8", device });
    for (const options of [{}, { labelSmoothing: 0.1 }, { weight: ones([4], { device }) }]) {
      const wanted = F.crossEntropy(logits, bytes.to("int32"), options).item();
      expect(F.crossEntropy(logits, bytes, options).item()).toBeCloseTo(wanted, 6);
    }
    const ignored = tensor([-100, -100, -100], { dtype: "int32", device });
    expect(F.crossEntropy(logits, ignored).item()).toBeNaN();
    expect(F.crossEntropy(logits, ignored, { labelSmoothing: 0.1 }).item()).toBeNaN();
    expect(F.crossEntropy(zeros([0, 4], { device }), zeros([0], { dtype: "int32", device })).item()).toBeNaN();
    expect(F.mse(zeros([0], { device }), zeros([0], { device })).item()).toBeNaN();
    expect(F.mse(zeros([0], { device }), zeros([0], { device }), { reduction: "sum" }).item()).toBe(0);
    const certain = tensor([[Number.NEGATIVE_INFINITY, 0]], { device });
    const none = tensor([-100], { dtype: "int32", device });
    expect(F.nll(certain, none, { reduction: "sum" }).item()).toBe(0);
    expect(F.crossEntropy(certain, none, { labelSmoothing: 0.1, reduction: "sum" }).item()).toBe(0);
  });

  test("what does not fit is refused with both values", () => {
    const x = zeros([2, 3], { device });
    const classes = tensor([0, 2], { dtype: "int32", device });
    const wrong = tensor([0, 3], { dtype: "int32", device });
    const refusals: [() => unknown, new (...args: never[]) => Error, ...string[]][] = [
      [() => F.crossEntropy(x, wrong), IndexError, "3", "(0 to 2)"],
      [() => F.crossEntropy(x, wrong, { labelSmoothing: 0.1 }), IndexError, "crossEntropy", "3"],
      [() => F.nll(x, wrong), IndexError, "nll", "3"],
      [() => F.nll(x, tensor([-1, 0], { dtype: "int32", device })), IndexError, "nll", "-1"],
      [() => F.crossEntropy(x, ones([2], { device })), DTypeError, "float32", '.to("int32")'],
      [() => F.crossEntropy(x, ones([2], { device }), { labelSmoothing: 0.1 }), DTypeError, "float32"],
      [() => F.nll(x, ones([2], { device })), DTypeError, "float32"],
      [() => F.crossEntropy(classes, classes), DTypeError, "int32"],
      [() => F.crossEntropy(x, tensor([0], { dtype: "int32", device })), ShapeError, "[1]", "[2]"],
      [() => F.crossEntropy(zeros([], { device }), classes), ShapeError, "class axis"],
      [() => F.nll(x, classes.unsqueeze(1)), ShapeError, "[2,1]", "[2]"],
      [() => F.crossEntropy(x, classes, { weight: ones([4], { device }) }), ShapeError, "[4]", "[3]"],
      [() => F.crossEntropy(x, x, { weight: ones([2], { device }) }), ShapeError, "[2]", "[3]"],
      [() => F.nll(x, classes, { weight: ones([2], { device }) }), ShapeError, "[2]", "[3]"],
      [() => F.crossEntropy(x, classes, { labelSmoothing: 1.5 }), Error, "1.5", "between 0 and 1"],
      [() => F.crossEntropy(x, classes, { labelSmoothing: Number.NaN }), Error, "NaN"],
      [() => F.mse(zeros([4, 1], { device }), zeros([4], { device })), ShapeError, "[4,1]", "[4]", "[4,4]"],
      [() => F.mse(zeros([4], { device }), zeros([3], { device })), ShapeError, "4", "3"],
      [() => F.mse(classes, classes), DTypeError, "int32"],
      [() => F.l1(zeros([4, 1], { device }), zeros([4], { device })), ShapeError, "[4,4]"],
      [() => F.smoothL1(x, x, { beta: 0 }), Error, "0", "l1()"],
      [() => F.binaryCrossEntropyWithLogits(x, zeros([3], { device })), ShapeError, "[2,3]", "[3]"],
      [() => F.mse(x, x, { reduction: JSON.parse('"average"') }), Error, "average", "mean"],
    ];
    for (const [call, kind, ...words] of refusals) {
      expect(call, String(call)).toThrow(kind);
      for (const word of words) expect(call, String(call)).toThrow(word);
    }
  });
});

import { readFileSync } from "node:fs";
import type { DType } from "../../src/backend/dtype.ts";
import { type Tensor, tensor } from "../../src/tensor/index.ts";
import { expectClose } from "../close.ts";

/** What PyTorch computed; see `test/golden/makeConv.py`. */
export interface ImageCase {
  readonly op: string;
  readonly inputs: readonly (readonly number[] | null)[];
  readonly shape: readonly number[];
  readonly result: readonly number[];
  readonly gradients: readonly (readonly number[] | null)[];
  /** Above 1, inputs are rounded so that some are equal. */
  readonly coarse?: number;
}

/** How a case is run. */
export interface Setting {
  readonly device: string;
  readonly dtype: DType;
  readonly memoryFormat: "contiguous" | "channelsLast";
}

/** Every dtype gradients are recorded in, and both memory formats. */
export const settings: readonly Omit<Setting, "device">[] = (["float32", "float64"] as const).flatMap((dtype) =>
  (["contiguous", "channelsLast"] as const).map((memoryFormat) => ({ dtype, memoryFormat })),
);

/** The cases of a file. */
export function loadCases<Case extends ImageCase>(name: string, isCase: (value: ImageCase) => value is Case): Case[] {
  const cases: ImageCase[] = JSON.parse(readFileSync(new URL(`../golden/${name}.json`, import.meta.url), "utf8"));
  return cases.filter(isCase);
}

/** The numbers makeConv.py makes: in [−1, 1), without equals up to 1009 elements. */
export function values(
  shape: readonly number[],
  seed: number,
  setting: Omit<Setting, "memoryFormat">,
  coarse = 1,
): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const numbers = Float64Array.from({ length: count }, (_, i) => {
    const whole = (i * 7919 + seed * 10473) % 1009;
    return (Math.floor(whole / coarse) * coarse) / 504.5 - 1;
  });
  return tensor(numbers, { shape, dtype: setting.dtype, device: setting.device });
}

/** Makes a case's inputs, those that are images in the setting's memory format. */
export function inputsOf(golden: ImageCase, setting: Setting): (Tensor | undefined)[] {
  return golden.inputs.map((shape, i) => {
    if (shape === null) return undefined;
    const x = values(shape, i + 1, setting, golden.coarse);
    const image = i === 0 && x.rank > 2 ? x.contiguous({ memoryFormat: setting.memoryFormat }) : x;
    image.requiresGrad = true;
    return image;
  });
}

/** Compares result and gradients. */
export function checkResult(
  golden: ImageCase,
  setting: Setting,
  inputs: readonly (Tensor | undefined)[],
  y: Tensor,
): void {
  const tolerance = setting.dtype === "float64" ? { rtol: 1e-7, atol: 1e-8 } : { rtol: 1e-4, atol: 2e-5 };
  if (y.shape.join() !== golden.shape.join()) throw new Error(`shape [${y.shape}] instead of [${golden.shape}]`);
  expectClose(y, golden.result, tolerance);
  y.mul(values(y.shape, 9, setting))
    .sum()
    .backward();
  inputs.forEach((x, i) => {
    const wanted = golden.gradients[i];
    if (x === undefined || !wanted) return;
    try {
      expectClose(x.grad ?? x.detach().mul(0), wanted, tolerance);
    } catch (error) {
      throw new Error(`gradient ${i}: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
}

/**
 * Compares the gradient's own gradient with finite differences, in float64: the change of a weighted sum of the gradients
 * of `run` along a direction.
 */
export function checkSecondGradients(
  run: (...inputs: readonly Tensor[]) => Tensor,
  inputs: readonly Tensor[],
  step = 1e-5,
): void {
  const setting = { device: inputs[0].device, dtype: "float64" } as const;
  const gradientSum = (points: readonly Tensor[]): Tensor => {
    const y = run(...points);
    for (const x of points) x.grad = undefined;
    y.mul(values(y.shape, 9, setting)).backward({ gradient: values(y.shape, 4, setting), createGraph: true });
    return points
      .map((x, i) => (x.grad ?? x.mul(0)).mul(values(x.shape, 20 + i, setting)).sum())
      .reduce((a, b) => a.add(b));
  };
  const leaf = (x: Tensor): Tensor => {
    const copy = x.detach().clone();
    copy.requiresGrad = true;
    return copy;
  };
  const points = inputs.map(leaf);
  const sum = gradientSum(points);
  for (const x of points) x.grad = undefined;
  sum.backward();
  points.forEach((x, i) => {
    const direction = values(x.shape, 30 + i, setting);
    const shifted = (sign: number): number => {
      const moved = inputs.map((other, j) => leaf(i === j ? other.detach().add(direction.mul(sign * step)) : other));
      return gradientSum(moved).item();
    };
    const numeric = (shifted(1) - shifted(-1)) / (2 * step);
    const exact = x.grad === undefined ? 0 : x.grad.mul(direction).sum().item();
    expectClose([exact], [numeric], { rtol: 1e-5, atol: 1e-6 });
  });
}

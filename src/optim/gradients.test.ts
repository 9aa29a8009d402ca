import { expect, test } from "vitest";
import { ArgumentError } from "../backend/errors.ts";
import { defaultDevice, full, manualSeed, randn, type Tensor, tensor, zeros } from "../tensor/index.ts";
import { clipGradNorm, clipGradValue, scaleGrads } from "./gradients.ts";

function withGrad(grad: Tensor): Tensor {
  const parameter = zeros(grad.shape, { device: grad.device, requiresGrad: true });
  parameter.grad = grad;
  return parameter;
}

const numbers = (x: Tensor | undefined): number[] => Array.from(x?.toTypedArray() ?? []);

for (const device of new Set(["js", defaultDevice()])) {
  test(`${device}: the norm is that of all gradients together, and they are scaled by one factor`, () => {
    manualSeed(2);
    const grads = [randn([3, 4, 2], { device }), randn([5], { device }), full([], 2, { device })];
    const before = grads.flatMap(numbers);
    const norm = Math.hypot(...before);
    const params = [...grads.map(withGrad), zeros([2], { device, requiresGrad: true })];
    expect(clipGradNorm(params, 1)).toBeCloseTo(norm, 5);
    const after = params.flatMap((p) => numbers(p.grad));
    for (const [i, value] of after.entries()) expect(value).toBeCloseTo(before[i] / norm, 5);
    expect(params[3].grad).toBeUndefined();
  });

  test(`${device}: gradients within the limit stay bit for bit, also views of other layouts`, () => {
    manualSeed(3);
    const grad = randn([4, 3], { device }).t();
    const copy = numbers(grad);
    expect(clipGradNorm([withGrad(grad)], 100)).toBeCloseTo(Math.hypot(...copy), 5);
    expect(numbers(grad)).toEqual(copy);
    clipGradValue([withGrad(grad)], 0.5);
    expect(numbers(grad)).toEqual(copy.map((x) => Math.max(-0.5, Math.min(0.5, x))));
    scaleGrads([withGrad(grad)], 2);
    expect(Math.max(...numbers(grad).map(Math.abs))).toBe(1);
  });
}

test("other norms: of order 1, and the largest absolute value", () => {
  const make = (): Tensor[] => [withGrad(tensor([1, -2])), withGrad(tensor([[-5]]))];
  expect(clipGradNorm(make(), 100, { normType: 1 })).toBeCloseTo(8, 6);
  const params = make();
  expect(clipGradNorm(params, 2.5, { normType: Number.POSITIVE_INFINITY })).toBe(5);
  expect(numbers(params[1].grad)[0]).toBeCloseTo(-2.5, 5);
});

test("norms that are not finite: as PyTorch scales, or an error that leaves the gradients", () => {
  const params = [withGrad(tensor([Number.NaN, 1]))];
  expect(() => clipGradNorm(params, 1, { errorIfNonfinite: true })).toThrow(ArgumentError);
  expect(numbers(params[0].grad)[1]).toBe(1);
  expect(clipGradNorm(params, 1)).toBeNaN();
  const infinite = [withGrad(tensor([Number.POSITIVE_INFINITY, 1]))];
  expect(clipGradNorm(infinite, 1)).toBe(Number.POSITIVE_INFINITY);
  expect(numbers(infinite[0].grad)[1]).toBe(0);
  const mixed = [withGrad(tensor([Number.NaN, -9, 9]))];
  clipGradValue(mixed, 2);
  expect(numbers(mixed[0].grad)).toEqual([Number.NaN, -2, 2]);
});

test("no gradients at all, and limits that make no sense", () => {
  expect(clipGradNorm([zeros([2], { requiresGrad: true })], 1)).toBe(0);
  expect(() => clipGradNorm([], Number.NaN)).toThrow(ArgumentError);
  expect(() => clipGradValue([], -1)).toThrow(ArgumentError);
  expect(() => clipGradNorm([], 1, { normType: 0 })).toThrow(ArgumentError);
});

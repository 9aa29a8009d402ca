import { expect, test } from "vitest";
import { finiteRange, linePoints, smooth } from "./series.ts";

test("short series keep every point, with gaps for what is not a number", () => {
  expect(linePoints([1, Number.NaN, Number.POSITIVE_INFINITY, 4])).toEqual([
    { x: 0, y: 1 },
    { x: 1, y: null },
    { x: 2, y: null },
    { x: 3, y: 4 },
  ]);
  expect(linePoints([1, 0, -1], { positive: true }).map((p) => p.y)).toEqual([1, null, null]);
  expect(linePoints([5, 6, 7], { x: [10, Number.NaN, 30] }).map((p) => p.x)).toEqual([10, 30]);
  expect(linePoints([])).toEqual([]);
});

test("long series are thinned, in order, and keep a spike of one step", () => {
  const y = new Float32Array(100_000).map((_, i) => Math.sin(i / 5000));
  y[77_777] = 50;
  y[12_345] = -50;
  y.fill(Number.NaN, 20_000, 30_000);
  const points = linePoints(y);
  expect(points.length).toBeLessThanOrEqual(2000);
  expect(points.length).toBeGreaterThan(1500);
  expect(points).toContainEqual({ x: 77_777, y: 50 });
  expect(points).toContainEqual({ x: 12_345, y: -50 });
  expect(points.some((p) => p.y === null)).toBe(true);
  expect(points.every((p, i) => i === 0 || points[i - 1].x < p.x)).toBe(true);
});

test("smoothing starts at the first value and steps over NaN", () => {
  const smoothed = smooth([4, 4, Number.NaN, 4, 0], 0.5);
  expect(smoothed[0]).toBe(4);
  expect(smoothed[2]).toBeNaN();
  expect(smoothed[3]).toBeCloseTo(4, 12);
  // Weights after the NaN: (4·(0.0625 + 0.125 + 0.25) + 0·0.5) / (1 - 0.5^4).
  expect(smoothed[4]).toBeCloseTo(1.75 / 0.9375, 12);
});

test("the range leaves out what is not finite", () => {
  expect(finiteRange([3, Number.NaN, -1, Number.NEGATIVE_INFINITY])).toEqual([-1, 3]);
  expect(finiteRange([Number.NaN])).toBeUndefined();
});

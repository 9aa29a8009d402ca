import { expect, test } from "vitest";
import { suggestLrs } from "./lrSuggestion.ts";

const lrs = Array.from({ length: 60 }, (_, i) => 1e-4 * 1.25 ** i);

/** Flat at 2, falling to 1 around 0.1, blowing up above 1. */
const bowl = lrs.map((lr) => (lr > 1 ? 5 * lr : 1 + 1 / (1 + (lr / 0.1) ** 2)));

test("the valley is half way down, the steepest point near it, the minimum a tenth of the bottom", () => {
  const { valley = 0, steepest = 0, minimum = 0 } = suggestLrs(lrs, bowl);
  expect(valley).toBeGreaterThan(0.06);
  expect(valley).toBeLessThan(0.16);
  expect(steepest).toBeGreaterThan(0.05);
  expect(steepest).toBeLessThan(0.2);
  expect(minimum).toBeGreaterThan(0.03);
  expect(minimum).toBeLessThan(0.1);
});

test("what happens after the blow-up does not matter", () => {
  const wild = bowl.map((loss, i) => (lrs[i] > 2 ? (i % 2 === 0 ? Number.NaN : 1e30) : loss));
  expect(suggestLrs(lrs, wild)).toEqual(suggestLrs(lrs, bowl));
});

test("there is nothing to suggest when the loss does not fall", () => {
  expect(
    suggestLrs(
      lrs,
      lrs.map((lr) => 2 + lr),
    ),
  ).toEqual({});
  expect(suggestLrs([], [])).toEqual({});
  expect(
    suggestLrs(
      lrs,
      lrs.map(() => Number.NaN),
    ),
  ).toEqual({});
});

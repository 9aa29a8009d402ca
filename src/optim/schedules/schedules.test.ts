import { expect, test } from "vitest";
import { ArgumentError } from "../../backend/errors.ts";
import { schedCos, schedExp, schedLin, schedNo, schedPoly } from "./annealers.ts";
import { cos1cycle, cos1cycleAnneal, schedMultiStep, schedRestarts, schedStep, warmUp } from "./cycles.ts";
import { combineScheds, createPhases } from "./phases.ts";

const near = (got: readonly number[], wanted: readonly number[]): void => {
  expect(got.length).toBe(wanted.length);
  got.forEach((value, i) => {
    expect(value).toBeCloseTo(wanted[i], 12);
  });
};

test("annealers follow their formulas", () => {
  expect(schedLin(1, 2)(0.3)).toBe(1.3);
  near([0, 0.25, 0.5, 1].map(schedCos(1, 3)), [1, 2 - Math.SQRT1_2, 2, 3]);
  near([0, 0.25, 0.5, 1].map(schedExp(1, 16)), [1, 2, 4, 16]);
  near([0, 0.5, 1].map(schedNo(7, 9)), [7, 7, 7]);
  near([0, 0.5, 1].map(schedPoly(1, 0, { power: 3 })), [1, 0.875, 0]);
});

test("annealers refuse what has no value", () => {
  expect(() => schedExp(0, 1)).toThrow(/no factor leads from 0 to 1/);
  expect(() => schedExp(-1, 1)).toThrow(ArgumentError);
  expect(() => schedLin(Number.NaN, 1)).toThrow(/start must be a finite number, got NaN/);
  expect(() => schedCos(1, Number.POSITIVE_INFINITY)).toThrow(ArgumentError);
  expect(() => schedPoly(0, 1, { power: 0 })).toThrow(ArgumentError);
});

test("createPhases adds what is left", () => {
  near(createPhases(0.3), [0.3, 0.7]);
  near(createPhases([0.3, 0.2]), [0.3, 0.2, 0.5]);
  expect(() => createPhases([0.8, 0.3])).toThrow(ArgumentError);
  expect(() => createPhases(-0.1)).toThrow(ArgumentError);
});

test("defect 17: a third phase uses the third schedule", () => {
  const sched = combineScheds([0.2, 0.3, 0.5], [schedLin(0, 1), schedLin(10, 11), schedLin(20, 21)]);
  near([0, 0.1, 0.2, 0.35, 0.5, 0.75, 1].map(sched), [0, 0.5, 10, 10.5, 20, 20.5, 21]);
});

test("defect 17: 0.7, 0.2, 0.1 are accepted, and other sums named", () => {
  const sched = combineScheds([0.7, 0.2, 0.1], [schedNo(1), schedNo(2), schedNo(3)]);
  near([0.69, 0.8, 0.95].map(sched), [1, 2, 3]);
  expect(() => combineScheds([0.5, 0.4], [schedNo(1), schedNo(2)])).toThrow(/add up to 0\.9/);
  expect(() => combineScheds([1.5, -0.5], [schedNo(1), schedNo(2)])).toThrow(ArgumentError);
  expect(() => combineScheds([1], [])).toThrow(/1 fractions for 0 schedules/);
});

test("phases of no length are skipped", () => {
  const [a, b, c] = [schedLin(0, 1), schedLin(10, 11), schedLin(20, 21)];
  near([0, 0.5, 1].map(combineScheds([0, 1, 0], [a, b, c])), [10, 10.5, 11]);
  near([0, 0.5, 1].map(combineScheds([0.5, 0, 0.5], [a, b, c])), [0, 20, 21]);
});

test("cycles", () => {
  near([0, 0.3, 1].map(cos1cycle(0.1, 1, 1e-5)), [0.1, 1, 1e-5]);
  near([0, 1].map(cos1cycle(0, 0, 0, { pctStart: 0.5 })), [0, 0]);
  near([0.25, 0.75].map(combineScheds([0.5, 0.5], cos1cycleAnneal(0, 1, 0))), [0.5, 0.5]);
  near([0, 1 / 6, 1 / 3, 2 / 3].map(schedRestarts(1, 0, { cycles: 2, factor: 2 })), [1, 0.5, 1, 0.5]);
  near([0, 0.05, 0.1, 0.55, 1].map(warmUp(0.1, 0, schedCos(1, 0))), [0, 0.5, 1, 0.5, 0]);
  near([0, 0.3, 0.34, 0.7, 1].map(schedStep(100)), [100, 100, 10, 1, 1]);
  near([0, 0.5, 0.75].map(schedMultiStep(8, { at: [0.5, 0.75], gamma: 0.5 })), [8, 4, 2]);
  expect(() => schedRestarts(1, 0, { cycles: 0 })).toThrow(ArgumentError);
  expect(() => schedMultiStep(1, { at: [2] })).toThrow(ArgumentError);
});

import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { DType } from "../../src/backend/dtype.ts";
import { optim, type Tensor, tensor } from "../../src/index.ts";
import { expectClose, expectSame } from "../close.ts";
import { devices } from "./devices.ts";

interface GoldenCase {
  readonly optimizer: "sgd" | "adam" | "adamW" | "rmsProp" | "adagrad" | "adadelta" | "radam";
  readonly options: { readonly lr: number };
  readonly groups: boolean;
  readonly steps: readonly number[];
  readonly params: readonly (readonly number[])[];
}

const cases: readonly GoldenCase[] = JSON.parse(
  readFileSync(new URL("../golden/optim.json", import.meta.url), "utf8"),
);
const settings = devices.flatMap((device) => [
  { device, dtype: "float64" as const, tolerance: { rtol: 1e-9, atol: 1e-10 } },
  { device, dtype: "float32" as const, tolerance: { rtol: 2e-4, atol: 2e-5 } },
]);
const shapes = [[3, 4], [4], [2, 3, 2]];

/** The same as in makeOptim.py. */
function numbers(shape: readonly number[], seed: number): number[] {
  const count = shape.reduce((a, b) => a * b, 1);
  return Array.from({ length: count }, (_, i) => ((i * 37 + seed * 101) % 512) / 256 - 1);
}

interface Setting {
  readonly device: string;
  readonly dtype: DType;
}

class Problem {
  readonly params: readonly Tensor[];
  readonly setting: Setting;

  constructor(setting: Setting) {
    this.setting = setting;
    this.params = shapes.map((shape, i) => tensor(numbers(shape, i + 1), { shape, ...setting, requiresGrad: true }));
  }

  backward(): void {
    this.params.forEach((p, i) => {
      const { shape } = p;
      const target = tensor(numbers(shape, i + 11), { shape, ...this.setting });
      const scale = tensor(numbers(shape, i + 21), { shape, ...this.setting }).add(1.25);
      p.grad = undefined;
      scale.mul(p.sub(target).cos().neg().add(1)).sum().backward();
    });
  }

  values(): number[] {
    return this.params.flatMap((p) => [...p.toTypedArray()]);
  }

  copyFrom(other: Problem): void {
    this.params.forEach((p, i) => p._write(other.params[i]));
  }
}

function train(problem: Problem, optimizer: optim.Optimizer, from: number, to: number, see?: (step: number) => void): void {
  for (let step = from; step <= to; step++) {
    problem.backward();
    optimizer.step();
    if (step === 10) optimizer.setHyper("lr", optimizer.paramGroups.map((group) => group.hypers["lr"] / 2));
    see?.(step);
  }
}

describe.each(settings)("on $device in $dtype", ({ tolerance, ...setting }) => {
  const named = cases.map((golden) => {
    const groups = golden.groups ? " in two groups" : "";
    return [`${golden.optimizer} ${JSON.stringify(golden.options)}${groups}`, golden] as const;
  });

  test.each(named)("PyTorch's 20 steps: %s", (_, { optimizer: name, options, groups, steps, params }) => {
    const problem = new Problem(setting);
    const all = problem.params;
    const given = groups ? [{ params: all.slice(0, 2) }, { params: all.slice(2), lr: 0.3 * options.lr }] : all;
    train(problem, optim[name](given, options), 1, 20, (step) => {
      const k = steps.indexOf(step);
      if (k >= 0) expectClose(problem.values(), params[k], tolerance);
    });
  });

  test.each(references)("the paper's 20 steps: $name $options", ({ make, reference }) => {
    const problem = new Problem(setting);
    const optimizer = make(problem.params);
    const p = problem.params.map((x) => [...x.toTypedArray()]);
    const update = reference();
    train(problem, optimizer, 1, 20, (step) => {
      p.forEach((values, i) => {
        const target = numbers(shapes[i], i + 11);
        const scale = numbers(shapes[i], i + 21);
        const g = values.map((x, j) => (scale[j] + 1.25) * Math.sin(x - target[j]));
        update(i, values, g, step);
      });
      expectClose(problem.values(), p.flat(), tolerance);
    });
  });

  test.each(factories)("a run resumed from a checkpoint is bitwise the same: $name", ({ make }) => {
    const whole = new Problem(setting);
    const optimizer = make(whole.params);
    train(whole, optimizer, 1, 7);
    const resumed = new Problem(setting);
    resumed.copyFrom(whole);
    const second = make(resumed.params);
    const { groups, steps, tensors } = optimizer.stateDict();
    const stored = [...tensors].map(([key, x]) => [key, tensor(x.toTypedArray(), { shape: x.shape, ...setting })] as const);
    second.loadStateDict({ ...JSON.parse(JSON.stringify({ groups, steps })), tensors: new Map(stored) });
    train(whole, optimizer, 8, 20);
    train(resumed, second, 8, 20);
    resumed.params.forEach((p, i) => expectSame(p.detach(), whole.params[i].detach()));
    expect(second.stateDict().steps).toEqual([20, 20, 20]);
  });
});

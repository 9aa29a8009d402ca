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

const cases: readonly GoldenCase[] = JSON.parse(readFileSync(new URL("../golden/optim.json", import.meta.url), "utf8"));
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
    for (const [i, p] of this.params.entries()) p._write(other.params[i]);
  }
}

function train(
  problem: Problem,
  optimizer: optim.Optimizer,
  from: number,
  to: number,
  see?: (step: number) => void,
): void {
  for (let step = from; step <= to; step++) {
    problem.backward();
    optimizer.step();
    if (step === 10)
      optimizer.setHyper(
        "lr",
        optimizer.paramGroups.map((group) => group.hypers["lr"] / 2),
      );
    see?.(step);
  }
}

/** Changes the i-th parameter by its gradient. */
type Update = (i: number, p: number[], g: readonly number[], step: number) => void;

const length = (x: readonly number[]): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));
const zerosFor = (): number[][] => shapes.map((shape) => numbers(shape, 0).fill(0));
const rateAt = (lr: number, step: number): number => (step > 10 ? lr / 2 : lr);

/** You et al. 2019, algorithm 2, with φ(z) = z, and at most ten times the step. */
function lambReference(lr: number, wd: number): Update {
  const [m, v] = [zerosFor(), zerosFor()];
  return (i, p, g, step) => {
    const direction = p.map((x, j) => {
      m[i][j] = 0.9 * m[i][j] + 0.1 * g[j];
      v[i][j] = 0.999 * v[i][j] + 0.001 * g[j] ** 2;
      return m[i][j] / (1 - 0.9 ** step) / (Math.sqrt(v[i][j] / (1 - 0.999 ** step)) + 1e-6) + wd * x;
    });
    const ratio = Math.min(length(p) / length(direction), 10);
    for (const j of p.keys()) p[j] -= rateAt(lr, step) * ratio * direction[j];
  };
}

/** You et al. 2017, algorithm 1. */
function larsReference(lr: number, momentum: number, wd: number, trust: number): Update {
  const v = zerosFor();
  return (i, p, g, step) => {
    const local = (trust * length(p)) / (length(g) + wd * length(p));
    for (const j of p.keys()) {
      v[i][j] = momentum * v[i][j] + rateAt(lr, step) * local * (g[j] + wd * p[j]);
      p[j] -= v[i][j];
    }
  };
}

/** Liu et al. 2019, algorithm 2. */
function radamReference(lr: number): Update {
  const [m, v] = [zerosFor(), zerosFor()];
  const longest = 2 / (1 - 0.999) - 1;
  return (i, p, g, step) => {
    const length = longest - (2 * step * 0.999 ** step) / (1 - 0.999 ** step);
    const r = Math.sqrt(((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length));
    for (const j of p.keys()) {
      m[i][j] = 0.9 * m[i][j] + 0.1 * g[j];
      v[i][j] = 0.999 * v[i][j] + 0.001 * g[j] ** 2;
      const mean = m[i][j] / (1 - 0.9 ** step);
      const scale = length > 5 ? (r * Math.sqrt(1 - 0.999 ** step)) / (Math.sqrt(v[i][j]) + 1e-8) : 1;
      p[j] -= rateAt(lr, step) * mean * scale;
    }
  };
}

/** Zhang et al. 2019, algorithm 1, over plain gradient descent or another update. */
function lookaheadReference(k: number, alpha: number, inner: Update): Update {
  const slow = shapes.map((shape, i) => numbers(shape, i + 1));
  return (i, p, g, step) => {
    inner(i, p, g, step);
    if (step % k !== 0) return;
    for (const j of p.keys()) {
      slow[i][j] += alpha * (p[j] - slow[i][j]);
      p[j] = slow[i][j];
    }
  };
}

function sgdReference(lr: number): Update {
  return (_, p, g, step) => {
    for (const j of p.keys()) p[j] -= rateAt(lr, step) * g[j];
  };
}

type Make = (params: optim.Params) => optim.Optimizer;

const references: readonly { readonly name: string; readonly make: Make; readonly reference: () => Update }[] = [
  { name: "LAMB", make: (p) => optim.lamb(p, { lr: 0.05 }), reference: () => lambReference(0.05, 0) },
  {
    name: "LAMB with weight decay",
    make: (p) => optim.lamb(p, { lr: 0.05, weightDecay: 0.1 }),
    reference: () => lambReference(0.05, 0.1),
  },
  { name: "LARS", make: (p) => optim.lars(p, { lr: 20 }), reference: () => larsReference(20, 0.9, 0, 0.001) },
  {
    name: "LARS with weight decay",
    make: (p) => optim.lars(p, { lr: 5, momentum: 0.8, weightDecay: 0.1, trust: 0.01 }),
    reference: () => larsReference(5, 0.8, 0.1, 0.01),
  },
  {
    name: "Ranger",
    make: (p) => optim.ranger(p, { lr: 0.05 }),
    reference: () => lookaheadReference(6, 0.5, radamReference(0.05)),
  },
  {
    name: "Lookahead over SGD",
    make: (p) => optim.lookahead(optim.sgd, { syncSteps: 4, syncRate: 0.3 })(p, { lr: 0.2 }),
    reference: () => lookaheadReference(4, 0.3, sgdReference(0.2)),
  },
];

const factories: readonly { readonly name: string; readonly make: Make }[] = [
  { name: "SGD", make: (p) => optim.sgd(p, { lr: 0.1, momentum: 0.9, dampening: 0.3, weightDecay: 0.1 }) },
  { name: "Adam", make: (p) => optim.adam(p, { lr: 0.05 }) },
  { name: "AdamW", make: (p) => optim.adamW(p, { lr: 0.05 }) },
  { name: "RMSProp", make: (p) => optim.rmsProp(p, { lr: 0.02, momentum: 0.9, centered: true }) },
  { name: "Adagrad", make: (p) => optim.adagrad(p, { lr: 0.1, lrDecay: 0.1 }) },
  { name: "Adadelta", make: (p) => optim.adadelta(p, { lr: 1 }) },
  { name: "RAdam, decoupled", make: (p) => optim.radam(p, { lr: 0.05, weightDecay: 0.1, decoupled: true }) },
  ...references,
];

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

  test.each(references)("the paper's 20 steps: $name", ({ make, reference }) => {
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
    const stored = [...tensors].map(
      ([key, x]) => [key, tensor(x.toTypedArray(), { shape: x.shape, ...setting })] as const,
    );
    second.loadStateDict({ ...JSON.parse(JSON.stringify({ groups, steps })), tensors: new Map(stored) });
    train(whole, optimizer, 8, 20);
    train(resumed, second, 8, 20);
    for (const [i, p] of resumed.params.entries()) expectSame(p.detach(), whole.params[i].detach());
    expect(second.stateDict().steps).toEqual([20, 20, 20]);
  });
});

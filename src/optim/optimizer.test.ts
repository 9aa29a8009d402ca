import { describe, expect, test } from "vitest";
import { expectClose, expectSame } from "../../test/close.ts";
import { devices } from "../../test/conformance/devices.ts";
import { backendByName } from "../backend/choose.ts";
import type { DType } from "../backend/dtype.ts";
import { ArgumentError, DeviceError, ShapeError, StateDictError } from "../backend/errors.ts";
import { call, input, Kernel, scalar } from "../backend/expr.ts";
import { nn, ones, optim, type Tensor, tensor, zeros } from "../index.ts";

function parameter(values: number[] | number[][], options: { dtype?: DType; device?: string } = {}): Tensor {
  return tensor(values, { ...options, requiresGrad: true });
}

function give(p: Tensor, gradient: number[]): void {
  p.grad = tensor(gradient, { shape: p.shape, dtype: p.dtype, device: p.device });
}

describe.each(devices)("on %s", (device) => {
  test("one fused step is the rules applied one by one", () => {
    const rules = [
      optim.l2Regularization,
      optim.dampenedAverageGrad,
      optim.averageSquareGrad,
      optim.weightDecay,
      optim.adamStep,
    ];
    const hypers = { lr: 0.1, weightDecay: 0.01, momentum: 0.9, squareMomentum: 0.99, eps: 1e-5 };
    const p = parameter([0.5, -1.5, 2, 0.25], { dtype: "float64", device });
    const optimizer = new optim.Optimizer([p], { steppers: rules, hypers });
    const values = new Map<string, Tensor>();
    for (const name of ["average", "squareAverage"]) values.set(name, zeros([4], { dtype: "float64", device }));
    values.set("p", tensor(p.toTypedArray(), { dtype: "float64", device }));
    for (let step = 1; step <= 3; step++) {
      const gradient = [1, -2, step, 0];
      give(p, gradient);
      values.set("g", tensor(gradient, { dtype: "float64", device }));
      optimizer.step();
      const numbers = { ...hypers, step };
      for (const rule of rules) applyAlone(rule, values, numbers);
      expectClose(p, values.get("p") ?? zeros([4]), { rtol: 1e-14, atol: 0 });
    }
  });

  test("the weights of a moving average add up to 1 − β^(i+1)", () => {
    const p = parameter([0], { dtype: "float64", device });
    const { dampenedAverageGrad, averageGrad, sgdStep } = optim;
    const dampened = new optim.Optimizer([p], {
      stats: [dampenedAverageGrad],
      steppers: [sgdStep],
      hypers: { lr: 0.1, momentum: 0.8 },
    });
    const classic = new optim.Optimizer([p], {
      stats: [averageGrad],
      steppers: [sgdStep],
      hypers: { lr: 0.1, momentum: 0.8 },
    });
    for (let i = 0; i < 30; i++) {
      give(p, [1]);
      dampened.step();
      classic.step();
      expect(dampened.stateDict().tensors.get("0.average")?.item()).toBeCloseTo(1 - 0.8 ** (i + 1), 12);
      expect(classic.stateDict().tensors.get("0.average")?.item()).toBeCloseTo((1 - 0.8 ** (i + 1)) / 0.2, 12);
    }
  });

  test("frozen parameters and those without a gradient neither move nor decay", () => {
    for (const make of [optim.sgd, optim.adam, optim.adamW, optim.rmsProp, optim.lamb, optim.lars, optim.ranger]) {
      const [frozen, unused, used] = [
        parameter([1, 2], { device }),
        parameter([3, 4], { device }),
        parameter([5, 6], { device }),
      ];
      const optimizer = make([frozen, unused, used], { lr: 0.1, weightDecay: 0.5 });
      give(frozen, [1, 1]);
      give(used, [1, 1]);
      frozen.requiresGrad = false;
      optimizer.step();
      expect(frozen.toArray()).toEqual([1, 2]);
      expect(unused.toArray()).toEqual([3, 4]);
      expect(used.toArray()).not.toEqual([5, 6]);
      expect(optimizer.stateDict().steps).toEqual([0, 0, 1]);
    }
  });

  test("each parameter counts its own steps", () => {
    const [early, late, only] = [parameter([1], { device }), parameter([1], { device }), parameter([1], { device })];
    const both = optim.adam([early, late], { lr: 0.1 });
    const alone = optim.adam([only], { lr: 0.1 });
    give(early, [0.3]);
    both.step();
    give(early, [0.1]);
    give(late, [0.3]);
    give(only, [0.3]);
    both.step();
    alone.step();
    expect(both.stateDict().steps).toEqual([2, 1]);
    expectSame(late.detach(), only.detach());
    expect(late.toArray()).not.toEqual(early.toArray());
  });

  test("LAMB and LARS move parameters and take gradients that are zero throughout", () => {
    for (const make of [optim.lamb, optim.lars]) {
      const [zero, still, number, empty] = [
        parameter([0, 0], { device }),
        parameter([1, 1], { device }),
        tensor(2, { device, requiresGrad: true }),
        zeros([0, 3], { device, requiresGrad: true }),
      ];
      const optimizer = make([zero, still, number, empty], { lr: 0.1 });
      give(zero, [1, -1]);
      give(still, [0, 0]);
      number.grad = tensor(1, { device });
      empty.grad = zeros([0, 3], { device });
      optimizer.step();
      expectClose(zero, [-0.1, 0.1], { rtol: 1e-4 });
      expect(still.toArray()).toEqual([1, 1]);
      expect(number.item()).toBeLessThan(2);
    }
  });

  test("rules may change the gradient before lengths are taken, and leave the user's as it was", () => {
    const p = parameter([3, 4], { device });
    const twice: optim.Rule = { defaults: {}, apply: ({ g }) => ({ g: call("add", g, g) }) };
    const unit: optim.Rule = {
      defaults: {},
      norms: ({ g }) => ({ size: g }),
      apply: ({ g, size }) => ({ g: call("div", g, size) }),
    };
    const optimizer = new optim.Optimizer([p], { steppers: [twice, unit, optim.sgdStep], hypers: { lr: 1 } });
    give(p, [0.3, 0.4]);
    optimizer.step();
    expectClose(p, [3 - 0.6, 4 - 0.8]);
    expectClose(p.grad ?? p, [0.3, 0.4]);
  });

  test("parameters of other dtypes and memory orders take the same steps", () => {
    const shape = [2, 3, 2, 2];
    const values = Array.from({ length: 24 }, (_, i) => i / 8 - 1);
    const make = (dtype: DType) => tensor(values, { shape, dtype, device, requiresGrad: true });
    const [plain, wide, narrow] = [make("float32"), make("float64"), make("bfloat16")];
    const last = new nn.Parameter(make("float32").detach().contiguous({ memoryFormat: "channelsLast" }));
    const part = tensor([...values, ...values], { shape: [2, 3, 2, 4], device }).slice(3, 0, 2);
    const all = [plain, wide, narrow, last, part];
    part.requiresGrad = true;
    const optimizer = optim.lamb(all, { lr: 0.05, weightDecay: 0.1 });
    part._write(plain);
    for (let step = 0; step < 4; step++) {
      for (const p of all) p.grad = p.detach().mul(0.5).sub(0.1);
      optimizer.step();
    }
    expectClose(last, plain);
    expectClose(part, plain);
    expectClose(wide, plain, { rtol: 1e-4, atol: 1e-5 });
    expectClose(narrow, plain, { rtol: 0.03, atol: 0.03 });
    expect(last.isContiguous({ memoryFormat: "channelsLast" })).toBe(true);
    const { tensors } = optimizer.stateDict();
    expect(["1.average", "2.average", "3.average"].map((key) => tensors.get(key)?.dtype)).toEqual([
      "float64",
      "float32",
      "float32",
    ]);
    expect(tensors.get("3.average")?.strides).toEqual(last.strides);
  });

  test("(1 − β₂) is worked out in double precision", () => {
    const p = parameter([1], { device });
    const optimizer = optim.adam([p], { lr: 0.1, squareMomentum: 0.9999 });
    give(p, [1]);
    optimizer.step();
    expect(optimizer.stateDict().tensors.get("0.squareAverage")?.item()).toBe(Math.fround(1 - 0.9999));
  });
});

test("a model that moves to another device takes its optimizer along", () => {
  if (devices.length < 2) return;
  const run = (move: boolean): Tensor => {
    const p = new nn.Parameter(tensor([1, 2], { device: devices[0] }));
    const optimizer = optim.adam([p], { lr: 0.1 });
    give(p, [1, -1]);
    optimizer.step();
    if (move) p._become(p.detach().to(devices[1]));
    give(p, [0.5, 0.5]);
    optimizer.step();
    return p.detach().to("js");
  };
  expectClose(run(true), run(false), { rtol: 1e-6 });
});

test("parameters on several devices in one group", () => {
  const all = devices.map((device) => parameter([1, 2], { device }));
  const optimizer = optim.lamb(all, { lr: 0.1 });
  for (const p of all) give(p, [1, -1]);
  optimizer.step();
  for (const p of all) expectClose(p.detach().to("js"), all[0], { rtol: 1e-6 });
});

describe("hyper-parameters", () => {
  test("can be set for all groups, or one by one, and differ between groups from the start", () => {
    const [a, b] = [parameter([1]), parameter([1])];
    const optimizer = optim.sgd([{ params: [a] }, { params: [b], lr: 0.5, weightDecay: 0.1 }], { lr: 0.1 });
    expect(optimizer.paramGroups.map((group) => group.hypers)).toEqual([
      { lr: 0.1, weightDecay: 0 },
      { lr: 0.5, weightDecay: 0.1 },
    ]);
    optimizer.setHyper("weightDecay", 0);
    optimizer.setHyper("lr", [1, 2]);
    give(a, [0.25]);
    give(b, [0.25]);
    optimizer.step();
    expect([a.item(), b.item()]).toEqual([0.75, 0.5]);
  });

  test("of an unknown name are refused, wherever they are given", () => {
    const p = parameter([1]);
    const given: Record<string, number> = { lr: 0.1, sqrMom: 0.9 };
    expect(() => new optim.Optimizer([p], { steppers: [optim.sgdStep], hypers: given })).toThrow(ArgumentError);
    expect(() => optim.adam([{ params: [p], sqrMom: 0.9 }], { lr: 0.1 })).toThrow(/unknown hyper-parameter "sqrMom"/);
    const optimizer = optim.adam([p], { lr: 0.1 });
    expect(() => optimizer.setHyper("sqrMom", 0.9)).toThrow(ArgumentError);
    expect(() => {
      optimizer.paramGroups[0].hypers["sqrMom"] = 0.9;
    }).toThrow(TypeError);
  });

  test("that are no finite numbers are refused before anything moves", () => {
    const [a, b] = [parameter([1]), parameter([1])];
    expect(() => optim.sgd([a], { lr: Number.NaN })).toThrow(ArgumentError);
    const optimizer = optim.sgd([{ params: [a] }, { params: [b] }], { lr: 0.1 });
    expect(() => optimizer.setHyper("lr", [0.2, Number.NaN])).toThrow(ArgumentError);
    expect(() => optimizer.setHyper("lr", [0.2])).toThrow(ArgumentError);
    expect(optimizer.paramGroups.map((group) => group.hypers["lr"])).toEqual([0.1, 0.1]);
    give(a, [1]);
    give(b, [1]);
    optimizer.paramGroups[1].hypers["lr"] = Number.POSITIVE_INFINITY;
    expect(() => optimizer.step()).toThrow(/lr must be a finite number/);
    expect([a.item(), b.item()]).toEqual([1, 1]);
  });

  test("lr is required", () => {
    expect(() => new optim.Optimizer([parameter([1])], { steppers: [optim.sgdStep], hypers: {} })).toThrow(
      /lr is missing/,
    );
  });
});

describe("refuses", () => {
  const p = parameter([1]);

  test("what is no list of leaves, each once", () => {
    expect(() => optim.sgd([], { lr: 0.1 })).toThrow(/no parameters/);
    expect(() => optim.sgd([p, p], { lr: 0.1 })).toThrow(/given twice/);
    expect(() => optim.sgd([p.mul(2)], { lr: 0.1 })).toThrow(/computed from others/);
    expect(() => optim.sgd([ones([2, 1]).expand([2, 3])], { lr: 0.1 })).toThrow(/expand/);
    expect(() => Reflect.apply(optim.sgd, undefined, [p, { lr: 0.1 }])).toThrow(ArgumentError);
    expect(() => Reflect.apply(optim.sgd, undefined, [[p, { params: [p] }], { lr: 0.1 }])).toThrow(ArgumentError);
    expect(() => Reflect.apply(optim.sgd, undefined, [[undefined], { lr: 0.1 }])).toThrow(ArgumentError);
  });

  test("a rule that reads what no rule gives", () => {
    expect(() => new optim.Optimizer([p], { steppers: [optim.momentumStep], hypers: { lr: 1 } })).toThrow(
      /reads "average", which no rule before it gives/,
    );
  });

  test("variants that do not fit together", () => {
    expect(() => optim.sgd([p], { lr: 0.1, nesterov: true })).toThrow(ArgumentError);
    expect(() => optim.sgd([p], { lr: 0.1, dampening: 0.5 })).toThrow(ArgumentError);
    expect(() => optim.sgd([p], { lr: 0.1, momentum: 0.9, dampening: 0.5, nesterov: true })).toThrow(ArgumentError);
    expect(() => optim.lookahead(optim.sgd, { syncSteps: 0 })).toThrow(ArgumentError);
  });

  test("gradients that do not fit, before anything moves", () => {
    const [a, b] = [parameter([1]), parameter([1, 1])];
    const optimizer = optim.sgd([a, b], { lr: 0.1 });
    give(a, [1]);
    b.grad = ones([1]);
    expect(() => optimizer.step()).toThrow(ShapeError);
    if (devices.length > 1) {
      b.grad = ones([2], { device: devices.find((device) => device !== b.device) });
      expect(() => optimizer.step()).toThrow(DeviceError);
    }
    expect(a.item()).toBe(1);
  });

  test("another optimizer's state, before anything is changed", () => {
    const [a, b] = [parameter([1]), parameter([1])];
    const source = optim.adam([a], { lr: 0.3 });
    give(a, [1]);
    source.step();
    const state = source.stateDict();
    const target = optim.adam([b], { lr: 0.1 });
    expect(() => optim.sgd([b], { lr: 0.1 }).loadStateDict(state)).toThrow(StateDictError);
    expect(() => target.loadStateDict({ ...state, tensors: new Map() })).toThrow(StateDictError);
    expect(() => target.loadStateDict({ ...state, steps: [0.5] })).toThrow(StateDictError);
    expect(() => target.loadStateDict({ ...state, steps: [0] })).toThrow(/unexpected/);
    expect(() => target.loadStateDict({ ...state, groups: [{ lr: Number.NaN }] })).toThrow(StateDictError);
    expect(() => target.loadStateDict({ ...state, groups: [] })).toThrow(StateDictError);
    expect(target.paramGroups[0].hypers["lr"]).toBe(0.1);
    expect(target.stateDict().steps).toEqual([0]);
    target.loadStateDict(state);
    give(a, [1]);
    source.step(); // the loaded state is a copy
    expect(target.stateDict().tensors.get("0.average")?.item()).toBeCloseTo(0.1);
  });
});

test("a new optimizer starts without what another one kept", () => {
  const [a, b] = [parameter([1]), parameter([1])];
  const first = optim.adam([a], { lr: 0.1 });
  give(a, [5]);
  first.step();
  a._write(b);
  for (const p of [a, b]) give(p, [0.25]);
  for (const p of [a, b]) optim.adam([p], { lr: 0.1 }).step();
  expectSame(a.detach(), b.detach());
});

test("a saved parameter that was stepped is refused by backward", () => {
  const p = parameter([2]);
  const loss = p.mul(p).sum();
  give(p, [1]);
  optim.sgd([p], { lr: 0.1 }).step();
  expect(() => loss.backward()).toThrow(/changed in place/);
});

/** What a rule says, carried out by a kernel of its own. */
function applyAlone(rule: optim.Rule, values: Map<string, Tensor>, numbers: Readonly<Record<string, number>>): void {
  const names = [...values.keys()];
  const known = [
    ...names.map((name, i) => [name, input(i)] as const),
    ...Object.keys(numbers).map((name, i) => [name, scalar(i)] as const),
  ];
  for (const [name, result] of Object.entries(rule.apply(Object.fromEntries(known)))) {
    const kernel = new Kernel([result], names.length, known.length - names.length);
    const changed = values.get(name);
    if (changed === undefined) throw new Error(`the rule changes ${name}`);
    const out = zeros([4], { dtype: "float64", device: changed.device });
    backendByName(changed.device).map(kernel, [...values.values()], [out], Object.values(numbers));
    changed._write(out);
  }
}

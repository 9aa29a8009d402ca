import { ArgumentError, StateDictError } from "../backend/errors.ts";
import { type Expr, input, Kernel, scalar } from "../backend/expr.ts";
import { sameShape } from "../backend/shape.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import { zerosLike } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Hypers, Rule } from "./rule.ts";

/** Parameters that share hyper-parameters. */
export interface ParamGroup {
  readonly params: readonly Tensor[];
  /** May be changed at any time; schedules do. */
  readonly hypers: Hypers;
}

/** What an optimizer is made for: parameters, or groups of them with hyper-parameters of their own. */
export type Params = readonly Tensor[] | readonly ParamGroupSpec[];

/** A group as users write it: its parameters and the hyper-parameters that differ from the rest. */
export interface ParamGroupSpec {
  readonly params: readonly Tensor[];
  readonly [hyper: string]: number | readonly Tensor[];
}

/** Makes an optimizer for parameters; what the Learner takes. */
export type OptimizerFactory = (params: Params, hypers: { lr: number }) => Optimizer;

/** What an optimizer is built of. */
export interface OptimizerOptions {
  /** For error messages and printing. */
  readonly name?: string;
  /** Pieces that change the gradient or the parameter, in order; run after the stats. */
  readonly steppers: readonly Rule[];
  /** Pieces that keep state. Default none. */
  readonly stats?: readonly Rule[];
  /** Hyper-parameters for all groups, over the pieces' defaults. */
  readonly hypers: Readonly<Hypers>;
}

/** Everything a resumed run needs: numbers as plain data, tensors by `parameter.state` name. */
export interface OptimizerState {
  readonly groups: readonly Hypers[];
  /** Steps taken, per parameter. */
  readonly steps: readonly number[];
  readonly tensors: ReadonlyMap<string, Tensor>;
}

interface ParamState {
  step: number;
  readonly tensors: readonly Tensor[];
}

/**
 * Changes parameters by their gradients. Its steppers and stats are scalar expressions, fused into one kernel that runs
 * over all parameters of a group in one call.
 *
 * @throws {@link ArgumentError} for a hyper-parameter no piece knows, a parameter given twice, or none at all.
 * @see fastai's Optimizer; PyTorch's `optim.Optimizer`. Differs: state is keyed by parameter, never stored on it.
 * @example
 * const w = tensor([1], { requiresGrad: true });
 * const opt = new optim.Optimizer([w], { steppers: [optim.sgdStep], hypers: { lr: 0.5 } });
 * w.mul(3).sum().backward();
 * opt.step();
 * w.item(); // => -0.5
 */
export class Optimizer {
  readonly name: string;
  readonly paramGroups: readonly ParamGroup[];
  private readonly _rules: readonly Rule[];
  private readonly _stateNames: readonly string[];
  private readonly _hyperNames: readonly string[];
  private readonly _state = new Map<Tensor, ParamState>();
  private _kernel: Kernel | undefined;
  private _derivedNames: readonly string[] = [];

  constructor(params: Params, { name = "Optimizer", steppers, stats = [], hypers }: OptimizerOptions) {
    this.name = name;
    this._rules = [...stats, ...steppers];
    this._stateNames = [...new Set(this._rules.flatMap((rule) => rule.state ?? []))];
    const defaults = Object.assign({ lr: Number.NaN }, ...this._rules.map((rule) => rule.defaults));
    this._hyperNames = Object.keys(defaults);
    this.paramGroups = toGroups(name, params).map(({ params: list, ...own }) => ({
      params: list,
      hypers: this.merged(defaults, hypers, own),
    }));
    const all = this.paramGroups.flatMap((group) => group.params);
    if (all.length === 0) throw new ArgumentError(name, "there are no parameters to optimize.");
    if (new Set(all).size !== all.length) throw new ArgumentError(name, "a parameter is given twice.");
  }

  /** Changes every parameter that has a gradient. */
  step(): void {
    noGrad(() => {
      for (const { params, hypers } of this.paramGroups) {
        for (const [step, ready] of this.bySteps(params)) this.update(ready, hypers, step);
      }
    });
  }

  /** Forgets the gradients of its own parameters. */
  zeroGrad(): void {
    for (const { params } of this.paramGroups) for (const p of params) p.grad = undefined;
  }

  /** Sets a hyper-parameter: one value for all groups, or one per group. @throws {@link ArgumentError} for an unknown name. */
  setHyper(name: string, value: number | readonly number[]): void {
    this.checkHyper(name);
    if (typeof value !== "number" && value.length !== this.paramGroups.length) {
      throw new ArgumentError(this.name, `${name} has ${value.length} values for ${this.paramGroups.length} groups.`);
    }
    this.paramGroups.forEach(({ hypers }, i) => {
      hypers[name] = typeof value === "number" ? value : value[i];
    });
  }

  /** The names of its hyper-parameters. */
  hyperNames(): readonly string[] {
    return this._hyperNames;
  }

  /** A snapshot of everything but the parameters; tensors are shared, not copied. */
  stateDict(): OptimizerState {
    const params = this.paramGroups.flatMap((group) => group.params);
    const tensors = new Map<string, Tensor>();
    params.forEach((p, i) => {
      this._state.get(p)?.tensors.forEach((tensor, j) => {
        tensors.set(`${i}.${this._stateNames[j]}`, tensor);
      });
    });
    return {
      groups: this.paramGroups.map(({ hypers }) => ({ ...hypers })),
      steps: params.map((p) => this._state.get(p)?.step ?? 0),
      tensors,
    };
  }

  /** Takes over a snapshot, copying its tensors. @throws {@link StateDictError} when it is another optimizer's. */
  loadStateDict({ groups, steps, tensors }: OptimizerState): void {
    const params = this.paramGroups.flatMap((group) => group.params);
    if (groups.length !== this.paramGroups.length || steps.length !== params.length) {
      throw new StateDictError(
        this.name,
        `the state is of ${groups.length} groups with ${steps.length} parameters, the optimizer has ${this.paramGroups.length} with ${params.length}.`,
      );
    }
    for (const hypers of groups) for (const key of Object.keys(hypers)) this.checkHyper(key);
    const states = params.map((p, i) => (steps[i] === 0 ? undefined : this.stateFrom(p, i, steps[i], tensors)));
    groups.forEach((hypers, i) => {
      Object.assign(this.paramGroups[i].hypers, hypers);
    });
    params.forEach((p, i) => {
      const state = states[i];
      if (state === undefined) this._state.delete(p);
      else this._state.set(p, state);
    });
  }

  toString(): string {
    const groups = this.paramGroups.map(({ params, hypers }) => {
      const list = Object.entries(hypers).map(([key, value]) => `${key}: ${value}`);
      return `  ${params.length} parameters, ${list.join(", ")}`;
    });
    return `${this.name} (\n${groups.join("\n")}\n)`;
  }

  private update(params: readonly Tensor[], hypers: Hypers, step: number): void {
    const derived = this._rules.map((rule) => rule.derived?.(hypers, step) ?? {});
    this._kernel ??= this.fuse(derived.flatMap((numbers) => Object.keys(numbers)));
    const numbers = Object.assign({}, ...derived);
    const scalars = [...this._hyperNames.map((key) => hypers[key]), ...this._derivedNames.map((key) => numbers[key])];
    const inputs: Tensor[][] = [];
    const outputs: Tensor[][] = [];
    for (const p of params) {
      const state = this.stateOf(p);
      state.step = step;
      if (p.grad === undefined) continue;
      inputs.push([p, p.grad, ...state.tensors]);
      outputs.push([p, ...state.tensors]);
      p.storage.version++;
    }
    params[0].storage.backend.mapEach(this._kernel, inputs, outputs, scalars);
  }

  /** All rules as one kernel: inputs p, g and state; outputs the new p and state. */
  private fuse(derivedNames: readonly string[]): Kernel {
    this._derivedNames = derivedNames;
    const numbers = [...this._hyperNames, ...derivedNames];
    let values: Record<string, Expr> = { p: input(0), g: input(1) };
    this._stateNames.forEach((key, i) => {
      values[key] = input(i + 2);
    });
    numbers.forEach((key, i) => {
      values[key] = scalar(i);
    });
    for (const rule of this._rules) values = { ...values, ...rule.apply(values) };
    const outputs = [values["p"], ...this._stateNames.map((key) => values[key])];
    return new Kernel(outputs, 2 + this._stateNames.length, numbers.length);
  }

  /** Parameters with a gradient, by the number of the step they are about to take. */
  private bySteps(params: readonly Tensor[]): Map<number, Tensor[]> {
    const groups = new Map<number, Tensor[]>();
    for (const p of params) {
      if (p.grad === undefined || !p.requiresGrad) continue;
      const step = (this._state.get(p)?.step ?? 0) + 1;
      const group = groups.get(step);
      if (group === undefined) groups.set(step, [p]);
      else group.push(p);
    }
    return groups;
  }

  private stateOf(p: Tensor): ParamState {
    let state = this._state.get(p);
    if (state === undefined) {
      state = { step: 0, tensors: this._stateNames.map(() => zerosLike(p)._copyLike(p)) };
      this._state.set(p, state);
    }
    return state;
  }

  private stateFrom(p: Tensor, position: number, step: number, tensors: ReadonlyMap<string, Tensor>): ParamState {
    const list = this._stateNames.map((key) => {
      const given = tensors.get(`${position}.${key}`);
      if (given === undefined || !sameShape(given.shape, p.shape)) {
        const found = given === undefined ? "nothing" : `[${given.shape}]`;
        throw new StateDictError(this.name, `state "${position}.${key}" must be [${p.shape}], got ${found}.`);
      }
      return given.to(p.device)._copyLike(p);
    });
    return { step, tensors: list };
  }

  private merged(defaults: Hypers, hypers: Readonly<Hypers>, own: Record<string, unknown>): Hypers {
    const result = { ...defaults };
    for (const [key, value] of [...Object.entries(hypers), ...Object.entries(own)]) {
      this.checkHyper(key);
      if (typeof value !== "number" || !Number.isFinite(value)) {
        throw new ArgumentError(this.name, `${key} must be a finite number, got ${String(value)}.`);
      }
      result[key] = value;
    }
    if (Number.isNaN(result["lr"])) throw new ArgumentError(this.name, "lr is missing; give { lr: 0.1 } or the like.");
    return result;
  }

  private checkHyper(name: string): void {
    if (!this._hyperNames.includes(name)) {
      throw new ArgumentError(this.name, `unknown hyper-parameter "${name}". Known: ${this._hyperNames.join(", ")}.`);
    }
  }
}

function toGroups(name: string, params: Params): readonly ParamGroupSpec[] {
  if (!Array.isArray(params)) throw new ArgumentError(name, "takes an array of parameters or of groups { params, … }.");
  const groups: ParamGroupSpec[] = [];
  const single: Tensor[] = [];
  for (const item of params) {
    if ("params" in item) groups.push(item);
    else single.push(item);
  }
  if (groups.length > 0 && single.length > 0) throw new ArgumentError(name, "takes parameters or groups, not both.");
  return groups.length > 0 ? groups : [{ params: single }];
}

import { ArgumentError, DeviceError, ShapeError, StateDictError } from "../backend/errors.ts";
import type { Kernel } from "../backend/expr.ts";
import { contiguousStrides, isDense, sameShape } from "../backend/shape.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { fuse, type Stage } from "./fuse.ts";
import { type ParamGroup, type Params, toGroups } from "./groups.ts";
import type { Hypers, Rule } from "./rule.ts";

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
  tensors: readonly Tensor[];
}

/** Parameters that are updated in one go. */
interface Batch {
  readonly step: number;
  readonly params: Tensor[];
  readonly states: ParamState[];
}

/**
 * Changes parameters by their gradients. Its steppers and stats are scalar expressions, fused into one kernel that runs
 * over all parameters of a group in one call. Parameters that are frozen or have no gradient stay as they are.
 *
 * State of 16-bit parameters is float32, lest small additions be lost.
 *
 * @throws {@link ArgumentError} for a hyper-parameter no piece knows, a parameter given twice or computed from others, or
 * none at all.
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
  /** Its stats and steppers, in the order they run. */
  readonly rules: readonly Rule[];
  private readonly _stateNames: readonly string[];
  private readonly _hyperNames: readonly string[];
  private readonly _stages = new Map<string, readonly Stage[]>();
  private readonly _state = new Map<Tensor, ParamState>();

  constructor(params: Params, { name = "Optimizer", steppers, stats = [], hypers }: OptimizerOptions) {
    this.name = name;
    this.rules = [...stats, ...steppers];
    this._stateNames = [...new Set(this.rules.flatMap((rule) => rule.state ?? []))];
    const defaults: Hypers = Object.assign({ lr: Number.NaN }, ...this.rules.map((rule) => rule.defaults));
    this._hyperNames = Object.keys(defaults);
    this.paramGroups = toGroups(name, params).map(({ params: list, ...own }) => ({
      params: list,
      hypers: Object.seal(this.merged(defaults, hypers, own)),
    }));
    const all = this.paramGroups.flatMap((group) => group.params);
    for (const { hypers: own } of this.paramGroups) this.stages(own);
    if (all.length === 0) throw new ArgumentError(name, "there are no parameters to optimize.");
    if (new Set(all).size !== all.length) throw new ArgumentError(name, "a parameter is given twice.");
    for (const p of all) {
      if (!p.isLeaf) throw new ArgumentError(name, `a tensor [${p.shape}] is computed from others; optimize those.`);
      noGrad(() => p._checkInPlace(name));
    }
  }

  /**
   * Changes every parameter that has a gradient.
   *
   * @throws {@link ShapeError} or {@link DeviceError} when a gradient does not fit its parameter, {@link ArgumentError} for
   * a hyper-parameter that is not a finite number; before anything is changed.
   */
  step(): void {
    const batches = this.paramGroups.map(({ params, hypers }) => {
      for (const key of this._hyperNames) this.checkHyper(key, hypers[key]);
      return this.batches(params);
    });
    noGrad(() => {
      for (let i = 0; i < batches.length; i++) {
        for (const batch of batches[i]) this.update(batch, this.paramGroups[i].hypers);
      }
    });
  }

  /** Forgets the gradients of its own parameters. */
  zeroGrad(): void {
    for (const { params } of this.paramGroups) for (const p of params) p._clearGrad();
  }

  /**
   * Sets a hyper-parameter: one value for all groups, or one per group.
   *
   * @throws {@link ArgumentError} for an unknown name, or a value that is not a finite number.
   */
  setHyper(name: string, value: number | readonly number[]): void {
    const values = typeof value === "number" ? this.paramGroups.map(() => value) : value;
    if (values.length !== this.paramGroups.length) {
      throw new ArgumentError(this.name, `${name} has ${values.length} values for ${this.paramGroups.length} groups.`);
    }
    for (const one of values) this.checkHyper(name, one);
    this.paramGroups.forEach(({ hypers }, i) => {
      hypers[name] = values[i];
    });
  }

  /** The names of its hyper-parameters. */
  hyperNames(): readonly string[] {
    return this._hyperNames;
  }

  /** Everything but the parameters. Tensors are the optimizer's own: clone what is to outlast the next step. */
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

  /**
   * Takes over what {@link stateDict} gave, copying its tensors.
   *
   * @throws {@link StateDictError} when it does not fit this optimizer, before anything is changed.
   */
  loadStateDict({ groups, steps, tensors }: OptimizerState): void {
    const params = this.paramGroups.flatMap((group) => group.params);
    if (groups.length !== this.paramGroups.length || steps.length !== params.length) {
      throw new StateDictError(
        this.name,
        `the state is of ${groups.length} groups with ${steps.length} parameters, the optimizer has ${this.paramGroups.length} with ${params.length}.`,
      );
    }
    for (const hypers of groups)
      for (const [key, value] of Object.entries(hypers)) this.checkHyper(key, value, StateDictError);
    for (const step of steps) {
      if (!Number.isSafeInteger(step) || step < 0)
        throw new StateDictError(this.name, `${step} is no number of steps.`);
    }
    const expected = params.flatMap((_, i) => (steps[i] === 0 ? [] : this._stateNames.map((key) => `${i}.${key}`)));
    const unexpected = [...tensors.keys()].filter((key) => !expected.includes(key));
    if (unexpected.length > 0) throw new StateDictError(this.name, `unexpected state: ${unexpected.join(", ")}.`);
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

  private update({ step, params, states }: Batch, hypers: Readonly<Hypers>): void {
    const numbers = this._hyperNames.map((key) => hypers[key]);
    numbers.push(step);
    const { backend } = params[0].storage;
    const sets = params.map((p, i) => [p, p._grad ?? p, ...states[i].tensors]);
    for (const { norms, update, writes } of this.stages(hypers)) {
      const measures = norms.map((norm) => ({ kernel: norm.kernel, scalars: norm.scalars(numbers) }));
      const inputs = sets.map((set) => (norms.length === 0 ? [...set] : [...set, ...sumsOfSquares(set, measures)]));
      // A gradient that was changed lives on in memory of its own: the user's stays.
      if (writes.includes(1)) for (const set of sets) set[1] = set[0]._empty(set[0].shape, set[0].dtype);
      const outputs = sets.map((set) => writes.map((i) => set[i]));
      backend.mapEach(update.kernel, inputs, outputs, update.scalars(numbers));
    }
    for (const p of params) p.storage.version++;
    for (const state of states) state.step = step;
  }

  /** The rules as kernels, made anew when other hyper-parameters are 0. */
  private stages(hypers: Readonly<Hypers>): readonly Stage[] {
    const zeros = this._hyperNames.filter((key) => hypers[key] === 0);
    const key = zeros.join();
    let stages = this._stages.get(key);
    if (stages === undefined) {
      stages = fuse(this.name, this.rules, this._stateNames, [...this._hyperNames, "step"], zeros);
      this._stages.set(key, stages);
    }
    return stages;
  }

  /** Parameters with a gradient that are about to take the same step on the same device. */
  private batches(params: readonly Tensor[]): readonly Batch[] {
    const batches: Batch[] = [];
    for (const p of params) {
      if (p._grad === undefined || !p.requiresGrad) continue;
      this.checkGradient(p, p._grad);
      const state = this.stateOf(p);
      const step = state.step + 1;
      const { backend } = p.storage;
      const batch = batches.find((one) => one.step === step && one.params[0].storage.backend === backend);
      if (batch === undefined) batches.push({ step, params: [p], states: [state] });
      else {
        batch.params.push(p);
        batch.states.push(state);
      }
    }
    return batches;
  }

  private stateOf(p: Tensor): ParamState {
    let state = this._state.get(p);
    if (state === undefined) {
      const tensors = this._stateNames.map(() => stateLike(p));
      for (const tensor of tensors) tensor._fill(0);
      state = { step: 0, tensors };
      this._state.set(p, state);
    }
    // The parameter may have moved.
    if (state.tensors.some(({ storage }) => storage.backend !== p.storage.backend)) {
      state.tensors = state.tensors.map((tensor) => tensor.to(p.device));
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
      const copy = stateLike(p);
      copy._write(given.to(p.device));
      return copy;
    });
    return { step, tensors: list };
  }

  private merged(defaults: Readonly<Hypers>, hypers: Readonly<Hypers>, own: Record<string, unknown>): Hypers {
    const result = { ...defaults };
    for (const [key, value] of [...Object.entries(hypers), ...Object.entries(own)]) {
      this.checkHyper(key, value);
      result[key] = Number(value);
    }
    if (Number.isNaN(result["lr"])) throw new ArgumentError(this.name, "lr is missing; give { lr: 0.1 } or the like.");
    return result;
  }

  private checkHyper(name: string, value: unknown, ErrorType = ArgumentError): void {
    if (!this._hyperNames.includes(name)) {
      throw new ErrorType(this.name, `unknown hyper-parameter "${name}". Known: ${this._hyperNames.join(", ")}.`);
    }
    if (typeof value !== "number" || !Number.isFinite(value)) {
      throw new ErrorType(this.name, `${name} must be a finite number, got ${String(value)}.`);
    }
  }

  private checkGradient(p: Tensor, gradient: Tensor): void {
    if (!sameShape(p.shape, gradient.shape)) {
      throw new ShapeError(this.name, `a parameter [${p.shape}] has a gradient [${gradient.shape}].`);
    }
    if (p.storage.backend !== gradient.storage.backend) {
      throw new DeviceError(
        this.name,
        `a parameter on "${p.device}" has its gradient on "${gradient.device}". Move one with .to(device).`,
      );
    }
  }
}

/** Uninitialised memory for state of a parameter, laid out like it. */
function stateLike(p: Tensor): Tensor {
  const strides = isDense(p.shape, p.strides) ? p.strides : contiguousStrides(p.shape);
  return p._empty(p.shape, p.dtype === "float16" || p.dtype === "bfloat16" ? "float32" : p.dtype, strides);
}

/** For each measure one number in memory: the sum of squares over a parameter. */
function sumsOfSquares(
  set: readonly Tensor[],
  measures: readonly { readonly kernel: Kernel; readonly scalars: readonly number[] }[],
): Tensor[] {
  const p = set[0];
  const ones = p.shape.map(() => 1);
  return measures.map(({ kernel, scalars }) => {
    const sum = p._empty(ones, p.dtype === "float64" ? "float64" : "float32");
    p.storage.backend.reduce("sum", kernel, set, p.shape, sum, scalars);
    return sum;
  });
}

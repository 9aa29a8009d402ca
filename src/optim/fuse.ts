import { ArgumentError } from "../backend/errors.ts";
import { call, constant, type Expr, input, Kernel, scalar } from "../backend/expr.ts";
import { functions } from "../backend/js/scalar.ts";
import { mul } from "../tensor/ops/derivative.ts";
import type { Rule, Values } from "./rule.ts";

/** A kernel whose parts that depend on scalars only are taken out and worked out beforehand, in double precision. */
export class FusedKernel {
  readonly kernel: Kernel;
  private readonly _numbers: Kernel;

  constructor(outputs: readonly Expr[], inputCount: number, scalarCount: number) {
    const numbers: Expr[] = [];
    const bodies = outputs.map((output) => hoist(output, numbers, new Map()));
    this.kernel = new Kernel(bodies, inputCount, numbers.length);
    this._numbers = new Kernel(numbers, 0, scalarCount);
  }

  /** The kernel's scalars, from those the expressions were written with. */
  scalars(given: readonly number[]): number[] {
    const values: number[] = [];
    for (const step of this._numbers.code) {
      if (step.kind === "call") {
        const [a, b = a, c = a] = step.args.map((position) => values[position]);
        values.push(functions[step.op](a, b, c));
      } else values.push(step.kind === "constant" ? step.value : given[step.index]);
    }
    return this._numbers.results.map((position) => values[position]);
  }
}

/** Some rules as one pass over the memory. */
export interface Stage {
  /** What is squared and summed over each parameter before; the sums are the last inputs of the update. */
  readonly norms: readonly FusedKernel[];
  readonly update: FusedKernel;
  /** What its outputs replace: 0 the parameter, 1 the gradient, from 2 the state. */
  readonly writes: readonly number[];
}

/**
 * Joins rules to as few passes as their norms allow. Inputs: `p`, `g`, state, then norms. Scalars: `numbers`; what those
 * that are 0 bring to nothing, such as the weight decay, is left out.
 */
export function fuse(
  name: string,
  rules: readonly Rule[],
  states: readonly string[],
  numbers: readonly string[],
  zeros: readonly string[],
): readonly Stage[] {
  const tensors = ["p", "g", ...states];
  const fresh: Values = Object.fromEntries([
    ...tensors.map((key, i) => [key, input(i)] as const),
    ...numbers.map((key, i) => [key, zeros.includes(key) ? constant(0) : scalar(i)] as const),
  ]);
  const stages: Stage[] = [];
  let values = fresh;
  let norms: readonly FusedKernel[] = [];
  const close = (changing: readonly string[]): void => {
    const writes = [...tensors.keys()].filter((i) => changing.includes(tensors[i]) && values[tensors[i]] !== input(i));
    if (writes.length === 0) return;
    const outputs = writes.map((i) => values[tensors[i]]);
    const update = new FusedKernel(outputs, tensors.length + norms.length, numbers.length);
    stages.push({ norms, update, writes });
  };
  for (const rule of rules) {
    if (rule.norms !== undefined) {
      close(tensors);
      const measured = Object.entries(rule.norms(readable(name, fresh)));
      norms = measured.map(([, x]) => new FusedKernel([mul(x, x)], tensors.length, numbers.length));
      const lengths = measured.map(([key], i) => [key, call("sqrt", input(tensors.length + i))] as const);
      values = { ...fresh, ...Object.fromEntries(lengths) };
    }
    values = { ...values, ...rule.apply(readable(name, values)) };
  }
  close(tensors.filter((key) => key !== "g"));
  return stages;
}

/** Replaces the largest parts that read no input by scalars, which are added to `numbers`. */
function hoist(expr: Expr, numbers: Expr[], memo: Map<Expr, Expr>): Expr {
  if (expr.kind === "constant" || expr.kind === "input") return expr;
  let result = memo.get(expr);
  if (result === undefined) {
    if (!readsInput(expr)) {
      const known = numbers.indexOf(expr);
      result = scalar(known >= 0 ? known : numbers.push(expr) - 1);
    } else {
      result = expr.kind === "call" ? call(expr.op, ...expr.args.map((x) => hoist(x, numbers, memo))) : expr;
    }
    memo.set(expr, result);
  }
  return result;
}

function readsInput(expr: Expr): boolean {
  return expr.kind === "input" || (expr.kind === "call" && expr.args.some(readsInput));
}

/** Values that say so when a rule reads what is not there. */
function readable(name: string, values: Values): Values {
  return new Proxy(values, {
    get: (target, key) => {
      if (typeof key === "symbol" || Object.hasOwn(target, key)) return Reflect.get(target, key);
      const known = Object.keys(target).join(", ");
      throw new ArgumentError(name, `a rule reads "${key}", which no rule before it gives. Known: ${known}.`);
    },
  });
}

import { ArgumentError } from "../backend/errors.ts";
import { Tensor } from "../tensor/tensor.ts";
import type { Hypers } from "./rule.ts";

/** Parameters that share hyper-parameters. */
export interface ParamGroup {
  readonly params: readonly Tensor[];
  /** May be changed at any time, as schedules do; takes known names only. */
  readonly hypers: Hypers;
}

/** What an optimizer is made for: parameters, or groups of them with hyper-parameters of their own. */
export type Params = readonly Tensor[] | readonly ParamGroupSpec[];

/** A group as users write it: its parameters and the hyper-parameters that differ from the rest. */
export interface ParamGroupSpec {
  readonly params: readonly Tensor[];
  readonly [hyper: string]: number | readonly Tensor[];
}

/** Groups as an optimizer keeps them: one where parameters were given alone. */
export function toGroups(name: string, params: Params): readonly ParamGroupSpec[] {
  const groups: ParamGroupSpec[] = [];
  const single: Tensor[] = [];
  for (const item of Array.isArray(params) ? params : [undefined]) {
    if (item instanceof Tensor) single.push(item);
    else if (Array.isArray(item?.params)) groups.push(item);
    else throw new ArgumentError(name, `takes an array of parameters or of groups { params, … }, got ${String(item)}.`);
  }
  if (groups.length > 0 && single.length > 0) throw new ArgumentError(name, "takes parameters or groups, not both.");
  return groups.length > 0 ? groups : [{ params: single }];
}

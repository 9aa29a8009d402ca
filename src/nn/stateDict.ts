import { ArgumentError, StateDictError } from "../backend/errors.ts";
import { sameShape } from "../backend/shape.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import { Tensor } from "../tensor/tensor.ts";

/** Names of parameters and buffers with their values, in order. */
export type StateDict = Map<string, Tensor>;

/** What a strict load would have refused. */
export interface LoadReport {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
}

/** Copies values by name into tensors of the same names, after all of them were checked. */
export function copyState(own: StateDict, state: ReadonlyMap<string, Tensor>, strict: boolean): LoadReport {
  if (typeof state?.has !== "function" || typeof state.keys !== "function") {
    throw new ArgumentError(
      "loadStateDict",
      "the state must be a Map of tensors by name. For an object: new Map(Object.entries(it)).",
    );
  }
  const missing = [...own.keys()].filter((name) => !state.has(name));
  const unexpected = [...state.keys()].filter((name) => !own.has(name));
  const wrong = [...own].flatMap(([name, tensor]) => misfit(name, tensor, state.has(name), state.get(name)));
  const problems = [
    ...wrong,
    ...(strict && missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
    ...(strict && unexpected.length > 0 ? [`unexpected: ${unexpected.join(", ")}`] : []),
  ];
  if (problems.length > 0) {
    const hint = wrong.length > 0 ? "" : "\nPass { strict: false } to load what fits.";
    throw new StateDictError("loadStateDict", `the state does not fit the model.\n  ${problems.join("\n  ")}${hint}`);
  }
  noGrad(() => {
    for (const [name, tensor] of own) {
      const given = state.get(name);
      if (given !== undefined) tensor.copy_(given);
    }
  });
  return { missing, unexpected };
}

function misfit(name: string, tensor: Tensor, isGiven: boolean, given: unknown): string[] {
  if (!isGiven) return [];
  if (!(given instanceof Tensor)) return [`${name}: model [${tensor.shape}], given no tensor but ${typeof given}`];
  return sameShape(given.shape, tensor.shape) ? [] : [`${name}: model [${tensor.shape}], given [${given.shape}]`];
}

import { arity } from "../expr.ts";

/** A kernel of the addon: its arguments lie in the descriptor; what is passed only stays reachable during the call. */
export type NativeFunction = (...keepAlive: readonly unknown[]) => number;

/** Kernels that read their arguments from the descriptor; `addon.cc` names the same ones. */
export const kernelNames = [
  "compile",
  "map",
  "reduce",
  "argReduce",
  "gather",
  "scatterAdd",
  "random",
  "matmul",
  "crossEntropy",
  "crossEntropyBackward",
  "softmax",
  "convolution",
  "convolutionData",
  "convolutionWeight",
  "maxPool",
  "maxPoolBackward",
  "averagePool",
  "averagePoolBackward",
  "columnMoments",
  "normalizeColumns",
  "normalizeColumnsBackward",
  "groupNorm",
  "groupNormBackward",
  "layerNorm",
  "layerNormBackward",
] as const;

/** What the compiled addon exports. */
export interface NativeAddon extends Readonly<Record<(typeof kernelNames)[number], NativeFunction>> {
  /** Names the array that kernels read their arguments from. */
  setDescriptor(descriptor: Float64Array): void;
  /** Where the bytes of a buffer lie in memory. */
  addressOf(buffer: ArrayBuffer): number;
  /** Watches an object under a number that is not in use. */
  watch(object: object, slot: number): void;
  /** Frees a number. */
  unwatch(slot: number): void;
  /** The numbers of objects found dead since the last call, which are free again. */
  dead(): readonly number[];
  /** Sets the number of threads, unless 0, and tells it. */
  setThreads(count: number): number;
  /** The scalar operations in the order of their codes. */
  readonly operations: string;
}

/** Checks that a loaded module is an addon of this version; else says what is wrong with it. */
export function asAddon(module: unknown): NativeAddon | { readonly reason: string } {
  if (!isAddon(module)) return { reason: "the addon was built from another version (functions are missing)" };
  if (module.operations !== Object.keys(arity).join()) {
    return { reason: "the addon was built from another version (its scalar operations differ)" };
  }
  return module;
}

function isAddon(module: unknown): module is NativeAddon {
  if (typeof module !== "object" || module === null) return false;
  const members = new Map<string, unknown>(Object.entries(module));
  const functions = [...kernelNames, "setDescriptor", "addressOf", "watch", "unwatch", "dead", "setThreads"];
  return (
    functions.every((name) => typeof members.get(name) === "function") && typeof members.get("operations") === "string"
  );
}

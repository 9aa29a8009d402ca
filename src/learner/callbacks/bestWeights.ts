import { loadSafetensors, saveSafetensors } from "../../io/safetensors.ts";
import type { AnyModule } from "../../nn/module.ts";
import { noGrad } from "../../tensor/autograd/mode.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Parameters and buffers of a model put aside, in memory or in a safetensors file. */
export class BestWeights {
  private readonly _path: string | undefined;
  private _copy: ReadonlyMap<string, Tensor> | undefined;

  /** @param path - The file. Default none: memory. */
  constructor(path?: string) {
    this._path = path;
  }

  /** Forgets the weights in memory; a file stays. */
  clear(): void {
    this._copy = undefined;
  }

  /** Puts the present weights aside; a file is replaced as a whole or not at all. */
  async save(model: AnyModule, metadata: Readonly<Record<string, string>>): Promise<void> {
    const state = model.stateDict();
    if (this._path === undefined) {
      this._copy = noGrad(() => new Map([...state].map(([name, x]) => [name, x.clone()])));
    } else {
      await saveSafetensors(this._path, state, metadata);
    }
  }

  /** Puts the weights back. @returns whether there were any. */
  async restore(model: AnyModule): Promise<boolean> {
    const state = this._path === undefined ? this._copy : (await loadSafetensors(this._path)).tensors;
    if (state === undefined) return false;
    model.loadStateDict(state);
    return true;
  }
}

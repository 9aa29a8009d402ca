import type { HookHandle } from "../tensor/base.ts";
import type { AnyModule } from "./module.ts";

/** Sees each of several modules after its forward, and which of them it is; what it returns, if anything, replaces the output. */
export type ModuleHook = (module: AnyModule, inputs: readonly unknown[], output: unknown, index: number) => unknown;

/**
 * One forward hook on several modules, to be taken off together.
 *
 * @see miniai and fastai: `Hooks`.
 * @example
 * const model = new nn.Sequential(new nn.Linear(4, 3), new nn.ReLU());
 * const means: number[] = [];
 * const hooks = new nn.Hooks(model.children(), (_, __, output) => {
 *   if (output instanceof Tensor) means.push(output.mean().item());
 * });
 * hooks.use(() => model.forward(randn([8, 4])));
 * model.forward(randn([8, 4]));
 * means.length; // => 2
 */
export class Hooks {
  private readonly _handles: readonly HookHandle[];

  constructor(modules: Iterable<AnyModule>, hook: ModuleHook) {
    this._handles = [...modules].map((module, index) =>
      module.registerForwardHook((_, inputs, output) => hook(module, inputs, output, index)),
    );
  }

  /** Takes all of them off; a second time does nothing. */
  remove(): void {
    for (const handle of this._handles) handle.remove();
  }

  /** Runs `fn` and takes the hooks off afterwards, also when it throws; of a promise, when it has settled. */
  use<T>(fn: () => T): T {
    let pending = false;
    try {
      const result = fn();
      if (result instanceof Promise) {
        pending = true;
        const remove = (): void => this.remove();
        result.then(remove, remove);
      }
      return result;
    } finally {
      if (!pending) this.remove();
    }
  }
}

import type { HookHandle } from "../tensor/base.ts";

/** The two places a hook can stand around a forward. */
export interface HookPair {
  readonly before?: (inputs: readonly unknown[]) => unknown;
  readonly after?: (inputs: readonly unknown[], output: unknown) => unknown;
}

/** Anything with a forward. */
export interface Callable {
  forward(...inputs: readonly unknown[]): unknown;
}

const installed = new WeakMap<object, Set<unknown>>();

/**
 * Puts a hook around a module's forward. The instance gets a `forward` of its own while it has hooks, so that a module
 * without hooks pays nothing, and callers need no other way to call it.
 */
export function installHook(module: Callable, { before, after }: HookPair): HookHandle {
  const inner = module.forward;
  let active = true;
  const wrapped = (...given: readonly unknown[]): unknown => {
    if (!active) return inner.apply(module, [...given]);
    const replaced = before?.(given);
    const inputs = Array.isArray(replaced) ? replaced : given;
    const output = inner.apply(module, [...inputs]);
    return after?.(inputs, output) ?? output;
  };
  module.forward = wrapped;
  const hooks = installed.get(module) ?? new Set();
  installed.set(module, hooks.add(wrapped));
  return {
    remove: () => {
      active = false;
      hooks.delete(wrapped);
      if (module.forward === wrapped) module.forward = inner;
      if (hooks.size === 0) Reflect.deleteProperty(module, "forward");
    },
  };
}

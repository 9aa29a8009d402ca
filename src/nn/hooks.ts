import { ArgumentError } from "../backend/errors.ts";
import type { HookHandle } from "../tensor/base.ts";

/** The two places a hook can stand around a forward. */
export interface HookPair {
  readonly before?: (inputs: readonly unknown[]) => unknown;
  readonly after?: (inputs: readonly unknown[], output: unknown) => unknown;
  /** Promises that it changes nothing and keeps no tensor, as a clock does: layers may then be fused and reuse memory. */
  readonly isQuiet?: boolean;
}

/** Anything with a forward. */
export interface Callable {
  forward(...inputs: readonly unknown[]): unknown;
}

interface Hooked {
  readonly hooks: HookPair[];
  readonly inner: Callable["forward"];
  readonly wrapped: Callable["forward"];
  /** The forward the instance had of its own before, if any. */
  readonly own: PropertyDescriptor | undefined;
}

const installed = new WeakMap<object, Hooked>();

/**
 * Puts a hook around a module's forward; several run in the order they were put there. The instance gets a `forward` of
 * its own while it has hooks, so that a module without hooks pays nothing, and callers need no other way to call it.
 */
export function installHook(module: Callable, hook: HookPair): HookHandle {
  const present = installed.get(module);
  const hooked = present?.wrapped === module.forward ? present : wrap(module);
  hooked.hooks.push(hook);
  return {
    remove: () => {
      const position = hooked.hooks.indexOf(hook);
      if (position < 0) return;
      hooked.hooks.splice(position, 1);
      if (hooked.hooks.length === 0) unwrap(module, hooked);
    },
  };
}

/** A module's forward, seen through hooks that are all quiet. */
export function forwardOf(module: Callable): Callable["forward"] {
  const { forward } = module;
  if (!Object.hasOwn(module, "forward")) return forward;
  const hooked = installed.get(module);
  return hooked?.wrapped === forward && hooked.hooks.every(({ isQuiet }) => isQuiet === true) ? hooked.inner : forward;
}

/** Runs something in the place of a module's forward, between its quiet hooks. */
export function inPlaceOfForward<Result>(module: Callable, input: unknown, run: () => Result): Result {
  const hooks = Object.hasOwn(module, "forward") ? [...(installed.get(module)?.hooks ?? [])] : [];
  for (const { before } of hooks) before?.([input]);
  const output = run();
  for (const { after } of hooks) after?.([input], output);
  return output;
}

function wrap(module: Callable): Hooked {
  const inner = module.forward;
  const hooks: HookPair[] = [];
  const wrapped = (...given: readonly unknown[]): unknown => {
    const current = [...hooks]; // a hook may take itself or others off
    let inputs = given;
    for (const { before } of current) {
      const replacement = replacementOf("forward pre-hook", before?.(inputs));
      if (replacement !== undefined) inputs = Array.isArray(replacement) ? replacement : [replacement];
    }
    let output = inner.apply(module, [...inputs]);
    for (const { after } of current) output = replacementOf("forward hook", after?.(inputs, output)) ?? output;
    return output;
  };
  const hooked = { hooks, inner, wrapped, own: Object.getOwnPropertyDescriptor(module, "forward") };
  Object.defineProperty(module, "forward", { value: wrapped, writable: true, configurable: true, enumerable: false });
  installed.set(module, hooked);
  return hooked;
}

function unwrap(module: Callable, { wrapped, own }: Hooked): void {
  if (installed.get(module)?.wrapped === wrapped) installed.delete(module);
  if (module.forward !== wrapped) return; // replaced meanwhile by the user, who keeps what they put there
  if (own === undefined) Reflect.deleteProperty(module, "forward");
  else Object.defineProperty(module, "forward", own);
}

/** What a hook gives back, if it can stand for tensors: `(…) => list.push(x)` gives a number and means nothing by it. */
function replacementOf(place: string, result: unknown): object | undefined {
  if (result instanceof Promise) {
    throw new ArgumentError(place, "a hook must be synchronous, but it gave a promise. Do the waiting elsewhere.");
  }
  return typeof result === "object" && result !== null ? result : undefined;
}

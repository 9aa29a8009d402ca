import { StateDictError } from "../backend/errors.ts";
import type { DType } from "../backend/dtype.ts";
import { isFloatingPoint } from "../backend/dtype.ts";
import { sameShape } from "../backend/shape.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import type { HookHandle } from "../tensor/base.ts";
import { Tensor } from "../tensor/tensor.ts";
import { installHook } from "./hooks.ts";
import { Buffer, Parameter } from "./parameter.ts";

/** Names of parameters and buffers with their values, in order. */
export type StateDict = Map<string, Tensor>;

/** What a strict load would have refused. */
export interface LoadReport {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
}

/** Sees a module's inputs and output after forward; what it returns, if anything, replaces the output. */
export type ForwardHook<M> = (module: M, inputs: readonly unknown[], output: unknown) => unknown;

/** Sees a module's inputs before forward; an array it returns replaces them. */
export type ForwardPreHook<M> = (module: M, inputs: readonly unknown[]) => unknown;

/** What every {@link Module} is, whatever its forward takes and gives. */
export abstract class AnyModule {
  /** Whether layers that differ between training and use, such as dropout, behave as in training. */
  training = true;

  /** The computation; {@link Module} gives it its types. */
  abstract forward(...inputs: readonly never[]): unknown;

  /** Own members by name, private ones left out; containers replace it to name their layers. */
  *members(): Iterable<readonly [name: string, member: unknown]> {
    for (const [name, member] of Object.entries(this)) if (!name.startsWith("_")) yield [name, member];
  }

  /** Direct submodules by name. */
  *namedChildren(): Generator<readonly [string, AnyModule]> {
    for (const [name, member] of flatMembers(this)) if (member instanceof AnyModule) yield [name, member];
  }

  /** Direct submodules. */
  children(): AnyModule[] {
    return [...this.namedChildren()].map(([, child]) => child);
  }

  /** This module and all below it, each once, by path; the module itself has the path "". */
  *namedModules(prefix = "", seen: Set<AnyModule> = new Set()): Generator<readonly [string, AnyModule]> {
    if (seen.has(this)) return;
    seen.add(this);
    yield [prefix, this];
    for (const [name, child] of this.namedChildren()) yield* child.namedModules(join(prefix, name), seen);
  }

  /** This module and all below it, each once. */
  modules(): AnyModule[] {
    return [...this.namedModules()].map(([, module]) => module);
  }

  /** All parameters by path; one that is shared comes once, under its first path. */
  *namedParameters(): Generator<readonly [string, Parameter]> {
    for (const [path, tensor] of this.namedTensors()) if (tensor instanceof Parameter) yield [path, tensor];
  }

  /** All parameters. */
  parameters(): Parameter[] {
    return [...this.namedParameters()].map(([, parameter]) => parameter);
  }

  /** All buffers by path. */
  *namedBuffers(): Generator<readonly [string, Buffer]> {
    for (const [path, tensor] of this.namedTensors()) if (tensor instanceof Buffer) yield [path, tensor];
  }

  /** Calls `fn` on every module, innermost first. @returns this module. */
  apply(fn: (module: AnyModule) => void): this {
    for (const child of this.children()) child.apply(fn);
    fn(this);
    return this;
  }

  /** Sets training mode here and below. */
  train(mode = true): this {
    for (const module of this.modules()) module.training = mode;
    return this;
  }

  /** Sets evaluation mode here and below. */
  eval(): this {
    return this.train(false);
  }

  /** Freezes (false) or unfreezes all parameters. */
  requiresGrad_(value: boolean): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = value;
    return this;
  }

  /** Forgets all gradients. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = undefined;
  }

  /** Moves parameters and buffers to a device, or their floats to a dtype. Optimizers keep hold of them. */
  to(target: DType | (string & {})): this {
    const kinds: readonly string[] = ["float32", "float64", "float16", "bfloat16"];
    for (const [, tensor] of this.namedTensors()) {
      if (!kinds.includes(target) || isFloatingPoint(tensor.dtype)) tensor._become(noGrad(() => tensor.to(target)));
    }
    return this;
  }

  /** Parameters and buffers by path, sharing memory with the module. */
  stateDict(): StateDict {
    const result: StateDict = new Map();
    for (const [path, tensor] of this.namedTensors(false)) result.set(path, tensor.detach());
    return result;
  }

  /**
   * Copies values into parameters and buffers.
   *
   * @param options.strict - Refuse missing and unexpected names. Default true.
   * @throws {@link StateDictError} listing everything that does not fit, before anything is changed.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, { strict = true }: { strict?: boolean } = {}): LoadReport {
    const own = new Map(this.namedTensors(false));
    const missing = [...own.keys()].filter((name) => !state.has(name));
    const unexpected = [...state.keys()].filter((name) => !own.has(name));
    const wrong = [...own].flatMap(([name, tensor]) => {
      const given = state.get(name);
      if (given === undefined || sameShape(given.shape, tensor.shape)) return [];
      return [`${name}: model [${tensor.shape}], given [${given.shape}]`];
    });
    const problems = [
      ...wrong,
      ...(strict && missing.length > 0 ? [`missing: ${missing.join(", ")}`] : []),
      ...(strict && unexpected.length > 0 ? [`unexpected: ${unexpected.join(", ")}`] : []),
    ];
    if (problems.length > 0) {
      const hint = wrong.length > 0 ? "" : " Pass { strict: false } to load what fits.";
      throw new StateDictError("loadStateDict", `the state does not fit the model.\n  ${problems.join("\n  ")}\n${hint}`.trimEnd());
    }
    noGrad(() => {
      for (const [name, tensor] of own) {
        const given = state.get(name);
        if (given !== undefined) tensor.copy_(given);
      }
    });
    return { missing, unexpected };
  }

  /** Calls `hook` after every forward; what it returns, if anything, replaces the output. */
  registerForwardHook(hook: ForwardHook<this>): HookHandle {
    return installHook(this, { after: (inputs, output) => hook(this, inputs, output) });
  }

  /** Calls `hook` before every forward; an array it returns replaces the inputs. */
  registerForwardPreHook(hook: ForwardPreHook<this>): HookHandle {
    return installHook(this, { before: (inputs) => hook(this, inputs) });
  }

  /** Calls `hook` with the gradient of the output in every backward; a tensor it returns replaces the gradient. */
  registerBackwardHook(hook: (module: this, gradient: Tensor) => Tensor | undefined): HookHandle {
    return this.registerForwardHook((_, __, output) => {
      if (output instanceof Tensor && output.requiresGrad) output.registerHook((gradient) => hook(this, gradient));
    });
  }

  /** What stands in brackets after the class name when printed, such as sizes. */
  describe(): string {
    return "";
  }

  /** The tree of modules, as PyTorch prints it. */
  toString(): string {
    const name = this.constructor.name;
    const children = [...this.namedChildren()].map(([key, child]) => `  (${key}): ${child.toString().replaceAll("\n", "\n  ")}`);
    return children.length === 0 ? `${name}(${this.describe()})` : `${name}(${this.describe()}\n${children.join("\n")}\n)`;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  /** Parameters and buffers by path; shared ones once unless `once` is false. */
  private *namedTensors(once = true): Generator<readonly [string, Parameter | Buffer]> {
    const seen = new Set<Tensor>();
    for (const [prefix, module] of this.namedModules()) {
      for (const [name, member] of flatMembers(module)) {
        if (!(member instanceof Parameter || member instanceof Buffer)) continue;
        if (once && seen.has(member)) continue;
        seen.add(member);
        yield [join(prefix, name), member];
      }
    }
  }
}

/**
 * A part of a model: parameters, submodules and a forward computation.
 *
 * Parameters, buffers and submodules are found among a module's own properties, in the order they were set, also inside
 * arrays; names starting with `_` are private. A path such as `layers.0.weight` names one of them; camel case becomes
 * snake case in paths, so they are PyTorch's state-dict keys.
 *
 * @see PyTorch: `nn.Module`. Differs: call `forward` by name; hooks work all the same.
 * @example
 * class Twice extends nn.Module {
 *   readonly inner = new nn.Linear(2, 2);
 *   forward(x: Tensor): Tensor {
 *     return this.inner.forward(this.inner.forward(x));
 *   }
 * }
 * [...new Twice().namedParameters()].map(([name]) => name); // => ["inner.weight", "inner.bias"]
 */
export abstract class Module<Inputs extends readonly unknown[] = readonly [Tensor], Output = Tensor> extends AnyModule {
  /** The computation. */
  abstract override forward(...inputs: Inputs): Output;
}

/** Members with arrays opened up, in snake case. */
function* flatMembers(module: AnyModule): Generator<readonly [string, unknown]> {
  for (const [name, member] of module.members()) {
    const key = snakeCase(name);
    if (Array.isArray(member)) for (const [i, part] of member.entries()) yield [`${key}.${i}`, part];
    else yield [key, member];
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function join(prefix: string, name: string): string {
  return prefix === "" ? name : `${prefix}.${name}`;
}


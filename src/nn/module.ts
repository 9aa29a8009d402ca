import { type DType, dtypes, isFloatingPoint } from "../backend/dtype.ts";
import { DTypeError, StateDictError } from "../backend/errors.ts";
import type { Rectifier } from "../backend/fast.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import type { HookHandle } from "../tensor/base.ts";
import { Tensor } from "../tensor/tensor.ts";
import { installHook } from "./hooks.ts";
import { Buffer, Parameter } from "./parameter.ts";
import { copyState, type LoadReport, type StateDict } from "./stateDict.ts";
import { join, openMembers } from "./walk.ts";

/**
 * Sees a module's inputs and output after forward. A tensor (or an array or object of them) that it returns replaces the
 * output; numbers, texts and nothing do not, so that `(m, xs, y) => sizes.push(y.numel())` is fine.
 */
export type ForwardHook<M> = (module: M, inputs: readonly unknown[], output: unknown) => unknown;

/** Sees a module's inputs before forward; an array it returns replaces them, a single tensor the only one. */
export type ForwardPreHook<M> = (module: M, inputs: readonly unknown[]) => unknown;

/** What every {@link Module} is, whatever its forward takes and gives. */
export abstract class AnyModule {
  /** Whether layers that differ between training and use, such as dropout, behave as in training. */
  training = true;

  /** The computation; {@link Module} gives it its types. */
  abstract forward(...inputs: readonly never[]): unknown;

  /**
   * Whether nobody else gets to see what its forward is given, or makes on the way to a result in memory of its own. Then
   * a container may reuse the memory of values between its layers. Hooks replace `forward`, so a layer that vouches for
   * its own forward compares.
   */
  get _isContained(): boolean {
    return false;
  }

  /** What it does, where that is rectifying and nobody sees what it is given: then the layer before may do it. */
  get _rectifier(): Rectifier | undefined {
    return undefined;
  }

  /** Own members by name, private ones left out; containers replace it to name their layers. */
  *members(): Iterable<readonly [name: string, member: unknown]> {
    for (const [name, member] of Object.entries(this)) if (!name.startsWith("_")) yield [name, member];
  }

  /** Direct submodules by name. */
  *namedChildren(): Generator<readonly [string, AnyModule]> {
    for (const [name, member] of openMembers(this.members())) if (member instanceof AnyModule) yield [name, member];
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

  /** Calls `fn` on every module once, innermost first. @returns this module. */
  apply(fn: (module: AnyModule) => void): this {
    for (const module of this.innermostFirst(new Set())) fn(module);
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

  /** Freezes (false) or unfreezes (true, the default) all parameters. */
  requiresGrad_(value = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = value;
    return this;
  }

  /** Forgets all gradients. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter._clearGrad();
  }

  /**
   * Moves parameters and buffers with their gradients to a device, or turns those that are floating-point into a dtype.
   * They stay the same objects, so optimizers keep hold of them.
   *
   * @throws {@link DTypeError} for a dtype that is not floating-point, {@link DeviceError} for an unknown device.
   */
  to(target: DType | (string & {})): this {
    const isDType = (name: string): name is DType => Object.hasOwn(dtypes, name);
    if (isDType(target) && !isFloatingPoint(target)) {
      throw new DTypeError("Module.to", `parameters must be floating-point, not ${target}; use e.g. "float32".`);
    }
    const concerned = [...this.namedTensors()]
      .map(([, tensor]) => tensor)
      .filter((x) => !isDType(target) || isFloatingPoint(x.dtype));
    const moved = noGrad(() => concerned.map((x) => ({ value: x.to(target), grad: x.grad?.to(target) })));
    concerned.forEach((x, i) => {
      if (moved[i].value === x) return;
      x._become(moved[i].value);
      x.grad = moved[i].grad;
    });
    return this;
  }

  /**
   * Parameters and buffers by path, sharing memory with the module; what is shared comes under each of its paths.
   *
   * @throws {@link StateDictError} when two members have one path.
   */
  stateDict(): StateDict {
    return new Map([...this.everyTensor()].map(([path, tensor]) => [path, tensor.detach()]));
  }

  /**
   * Copies values into parameters and buffers, converting dtypes and moving between devices as needed.
   *
   * @param options.strict - Refuse missing and unexpected names. Default true.
   * @throws {@link StateDictError} listing everything that does not fit, before anything is changed.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, { strict = true }: { strict?: boolean } = {}): LoadReport {
    return copyState(this.everyTensor(), state, strict);
  }

  /** Calls `hook` after every forward; what it returns may replace the output, see {@link ForwardHook}. */
  registerForwardHook(hook: ForwardHook<this>): HookHandle {
    return installHook(this, { after: (inputs, output) => hook(this, inputs, output) });
  }

  /** Calls `hook` before every forward; what it returns may replace the inputs, see {@link ForwardPreHook}. */
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
    if (printing.has(this)) return `${name}(…)`; // it holds itself
    printing.add(this);
    try {
      const lines = [...this.namedChildren()].map(([key, child]) =>
        `(${key}): ${child.toString()}`.replaceAll("\n", "\n  "),
      );
      const description = this.describe();
      if (lines.length === 0) return `${name}(${description})`;
      return `${name}(\n  ${[...(description === "" ? [] : [description]), ...lines].join("\n  ")}\n)`;
    } finally {
      printing.delete(this);
    }
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  private *innermostFirst(seen: Set<AnyModule>): Generator<AnyModule> {
    if (seen.has(this)) return;
    seen.add(this);
    for (const child of this.children()) yield* child.innermostFirst(seen);
    yield this;
  }

  /** Parameters and buffers by path, each once, under its first path. */
  private *namedTensors(): Generator<readonly [string, Parameter | Buffer]> {
    const seen = new Set<Tensor>();
    for (const [prefix, module] of this.namedModules()) {
      for (const [name, tensor] of ownTensors(module)) {
        if (!seen.has(tensor)) yield [join(prefix, name), tensor];
        seen.add(tensor);
      }
    }
  }

  /** Parameters and buffers under every path they can be reached by. */
  private everyTensor(): Map<string, Parameter | Buffer> {
    const result = new Map<string, Parameter | Buffer>();
    for (const [prefix, module] of this.everyPath("", [])) {
      for (const [name, tensor] of ownTensors(module)) {
        const path = join(prefix, name);
        if (result.has(path)) throw new StateDictError("stateDict", `two members have the path "${path}"; rename one.`);
        result.set(path, tensor);
      }
    }
    return result;
  }

  private *everyPath(prefix: string, around: readonly AnyModule[]): Generator<readonly [string, AnyModule]> {
    if (around.includes(this)) return;
    yield [prefix, this];
    for (const [name, child] of this.namedChildren()) yield* child.everyPath(join(prefix, name), [...around, this]);
  }
}

/** Modules whose text is being made, by which one that holds itself is noticed. */
const printing = new Set<AnyModule>();

/**
 * A part of a model: parameters, submodules and a forward computation.
 *
 * Parameters, buffers and submodules are found among a module's own properties, in the order of the fields, also inside
 * arrays and plain objects; names starting with `_` are private. A path such as `layers.0.weight` names one of them; camel
 * case becomes snake case in paths, so they are PyTorch's state-dict keys.
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

  /** {@link forward} with a rectifier on its result in the same pass over memory, where a layer can do that. */
  _rectified?(rectifier: Rectifier): ((...inputs: Inputs) => Output) | undefined;
}

/** A module's own parameters, then its own buffers, by name. */
function ownTensors(module: AnyModule): (readonly [string, Parameter | Buffer])[] {
  const members = [...openMembers(module.members())];
  const parameters = members.flatMap(([name, member]) =>
    member instanceof Parameter ? [[name, member] as const] : [],
  );
  const buffers = members.flatMap(([name, member]) => (member instanceof Buffer ? [[name, member] as const] : []));
  return [...parameters, ...buffers];
}

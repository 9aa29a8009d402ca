import { ArgumentError } from "../backend/errors.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { forwardOf, inPlaceOfForward } from "./hooks.ts";
import { AnyModule, Module } from "./module.ts";

/** A module from tensor to tensor. */
export type Layer = Module<readonly [Tensor], Tensor>;

/**
 * Layers one after another.
 *
 * @see PyTorch: `nn.Sequential`; the layers' paths are `0`, `1`, ….
 * @example
 * const model = new nn.Sequential(new nn.Linear(784, 50), new nn.ReLU(), new nn.Linear(50, 10));
 * model.forward(zeros([64, 784])).shape; // => [64, 10]
 */
export class Sequential extends Module {
  private readonly _layers: Layer[];

  constructor(...layers: readonly Layer[]) {
    super();
    this._layers = layers.map((layer, i) => checkModule("Sequential", layer, i));
  }

  override get _isContained(): boolean {
    const layers = this._layers;
    return layers.length > 0 && forwardOf(this) === Sequential.prototype.forward && layers.every((l) => l._isContained);
  }

  forward(x: Tensor): Tensor {
    const layers = this._layers;
    let h = x;
    let isOurs = false; // whether h was made on the way and only contained layers have seen it
    for (let i = 0; i < layers.length; i++) {
      const layer = layers[i];
      const given = h;
      const isContained = layer._isContained;
      const rectifier = isContained ? layers[i + 1]?._rectifier : undefined;
      const rectified = rectifier && layer._rectified?.(rectifier);
      if (rectified !== undefined) {
        h = inPlaceOfForward(layer, given, () => rectified(given));
        i++;
      } else {
        h = layer.forward(given);
      }
      if (isOurs && isContained) given.storage.abandon();
      isOurs = isContained;
    }
    return h;
  }

  override *members(): Iterable<readonly [string, unknown]> {
    for (const [i, layer] of this._layers.entries()) yield [String(i), layer];
  }

  /** Number of layers. */
  get length(): number {
    return this._layers.length;
  }

  /** The layer at a position; negative ones count from the end. */
  at(index: number): Layer {
    const layer = this._layers.at(index);
    if (layer !== undefined) return layer;
    throw new ArgumentError("Sequential", `there is no layer ${index} among ${this._layers.length}.`);
  }

  /** A new container over some of the layers, which are shared. */
  slice(start?: number, end?: number): Sequential {
    return new Sequential(...this._layers.slice(start, end));
  }

  /** Adds layers at the end. @returns this container. */
  append(...layers: readonly Layer[]): this {
    this._layers.push(...layers.map((layer, i) => checkModule("Sequential", layer, this.length + i)));
    return this;
  }

  [Symbol.iterator](): Iterator<Layer> {
    return this._layers[Symbol.iterator]();
  }
}

/**
 * A list of modules that belong to the module holding it; it has no forward of its own.
 *
 * @see PyTorch: `nn.ModuleList`. A plain array property is found as well; this class prints and indexes like one module.
 */
export class ModuleList<M extends AnyModule = Layer> extends Module<readonly never[], never> {
  private readonly _list: M[];

  constructor(modules: readonly M[] = []) {
    super();
    this._list = [...modules].map((module, i) => checkModule("ModuleList", module, i));
  }

  /** @throws {@link ArgumentError} always: call the modules in it. */
  forward(): never {
    throw new ArgumentError("ModuleList", "has no forward; call the modules in it one by one.");
  }

  override *members(): Iterable<readonly [string, unknown]> {
    for (const [i, module] of this._list.entries()) yield [String(i), module];
  }

  get length(): number {
    return this._list.length;
  }

  /** The module at a position; negative ones count from the end. */
  at(index: number): M {
    const module = this._list.at(index);
    if (module !== undefined) return module;
    throw new ArgumentError("ModuleList", `there is no module ${index} among ${this._list.length}.`);
  }

  /** Adds modules at the end. @returns this list. */
  append(...modules: readonly M[]): this {
    this._list.push(...modules.map((module, i) => checkModule("ModuleList", module, this.length + i)));
    return this;
  }

  [Symbol.iterator](): Iterator<M> {
    return this._list[Symbol.iterator]();
  }
}

function checkModule<T>(container: string, layer: T, position: number): T {
  if (layer instanceof AnyModule) return layer;
  throw new ArgumentError(container, `layer ${position} is not a module but ${String(layer)}.`);
}

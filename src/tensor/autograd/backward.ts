import { DeviceError, DTypeError, GradientError, ShapeError } from "../../backend/errors.ts";
import { isDense, sameShape } from "../../backend/shape.ts";
import { Storage } from "../../backend/storage.ts";
import type { Tensor } from "../tensor.ts";
import { enableGrad, noGrad } from "./mode.ts";
import { type GradientHook, GradNode } from "./node.ts";

/** Options of a backward pass. */
export interface BackwardOptions {
  /** Gradient of the tensor itself, of its shape. Default 1 for a single number. */
  readonly gradient?: Tensor;
  /** Keep saved values, to go backward through the same graph again. Default false, or true with `createGraph`. */
  readonly retainGraph?: boolean;
  /** Record the backward pass itself, for gradients of gradients. Default false. */
  readonly createGraph?: boolean;
}

/** Goes back through the tape from `root` and adds to `.grad` of every leaf that wants it. */
export function backward(root: Tensor, options: BackwardOptions): void {
  const createGraph = options.createGraph ?? false;
  const run = new BackwardRun(options.retainGraph ?? createGraph, createGraph);
  const gradient = startGradient(root, options.gradient);
  if (createGraph) enableGrad(() => run.from(root, gradient));
  else noGrad(() => run.from(root, gradient));
  root.storage.backend.passed();
}

function startGradient(root: Tensor, given: Tensor | undefined): Tensor {
  if (!root.requiresGrad) {
    throw new GradientError(
      "backward",
      `the tensor [${root.shape}] does not require a gradient. Was it made under noGrad, or from tensors without requiresGrad?`,
    );
  }
  if (given === undefined) {
    if (root.numel() !== 1) {
      throw new GradientError(
        "backward",
        `a gradient starts from one number, not from [${root.shape}] (${root.numel()} numbers). Reduce it with sum() or mean(), or pass { gradient }.`,
      );
    }
    return noGrad(() => root._filled(1));
  }
  if (given.dtype !== root.dtype) {
    throw new DTypeError(
      "backward",
      `the gradient is ${given.dtype}, the tensor ${root.dtype}. Convert with .to(dtype).`,
    );
  }
  if (given.storage.backend !== root.storage.backend) {
    throw new DeviceError("backward", `the gradient lies on "${given.device}", the tensor on "${root.device}".`);
  }
  if (!sameShape(given.shape, root.shape)) {
    throw new ShapeError("backward", `gradient [${given.shape}] does not have the tensor's shape [${root.shape}].`);
  }
  return given;
}

/** A leaf that waits for the gradients from all its uses. */
interface LeafSlot {
  gradient: Tensor | undefined;
  /** Uses that have not come by yet. */
  missing: number;
}

/** More holds than there can be: memory that never becomes free. */
const KEPT = 2 ** 30;

/** Passes are numbered, so that what one notes on nodes and storages is not taken for another's. */
let passes = 0;

/** The state of one backward pass. Gradients nobody can see any more give their memory back at once. */
class BackwardRun {
  private readonly _retain: boolean;
  private readonly _createGraph: boolean;
  private readonly _pass: number = ++passes;
  private readonly _leaves = new Map<Tensor, LeafSlot>();
  /** Older storages are saved values or parameters: never ours to give back. */
  private readonly _start: number = Storage.count;

  constructor(retain: boolean, createGraph: boolean) {
    this._retain = retain;
    this._createGraph = createGraph;
  }

  from(root: Tensor, gradient: Tensor): void {
    this.keep(gradient.storage);
    if (root._node === undefined) {
      this.accumulate(root, gradient, 1);
      return;
    }
    const nodes = this.reachable(root._node);
    // A hook may start a pass of its own through nodes where another one is under way.
    const others = nodes.some((node) => node.pending !== undefined) ? nodes.map((node) => node.pending) : undefined;
    for (const node of nodes) node.pending = undefined;
    try {
      this.push(root._node, root._outputIndex, gradient);
      for (const node of nodes) this.step(node);
    } finally {
      for (let i = 0; i < nodes.length; i++) nodes[i].pending = others?.[i];
    }
  }

  /** Every node that can be reached, newest first; counts the uses of leaves. */
  private reachable(root: GradNode): GradNode[] {
    const nodes = [root];
    root.pass = this._pass;
    for (let i = 0; i < nodes.length; i++) {
      for (const edge of nodes[i].edges) {
        if (edge === undefined) continue;
        if (!(edge instanceof GradNode)) this.expect(edge);
        else if (edge.pass !== this._pass) {
          edge.pass = this._pass;
          nodes.push(edge);
        }
      }
    }
    for (let i = 1; i < nodes.length; i++) if (nodes[i].id > nodes[i - 1].id) return nodes.sort((a, b) => b.id - a.id);
    return nodes; // a chain is in order as it is found
  }

  private expect(leaf: Tensor): void {
    const slot = this._leaves.get(leaf);
    if (slot === undefined) this._leaves.set(leaf, { gradient: undefined, missing: 1 });
    else slot.missing++;
  }

  /** Sends a node's gradients on; where none came, its leaves learn that nothing will come from here. */
  private step(node: GradNode): void {
    const gradients = node.pending;
    node.pending = undefined;
    const results = gradients === undefined ? [] : this.gradientsOf(node, gradients);
    // Results may share memory with each other and with what came in: all are held until all are passed on.
    for (const result of results) if (result !== undefined) this.use(result.storage);
    const { edges, edgeOutputs } = node;
    for (let i = 0; i < edges.length; i++) {
      const edge = edges[i];
      const gradient = results[i];
      if (edge instanceof GradNode) {
        if (gradient !== undefined) this.push(edge, edgeOutputs[i], gradient);
      } else if (edge !== undefined) {
        this.arrive(edge, gradient);
      }
    }
    for (const result of results) if (result !== undefined) this.drop(result.storage);
    if (gradients === undefined) return;
    for (const gradient of gradients) if (gradient !== undefined) this.drop(gradient.storage);
    if (!this._retain) node.release();
  }

  private gradientsOf(node: GradNode, gradients: (Tensor | undefined)[]): readonly (Tensor | undefined)[] {
    if (node.hooks !== undefined) this.runHooks(node.hooks, gradients);
    return node.backward(gradients);
  }

  private push(node: GradNode, output: number, gradient: Tensor): void {
    node.pending ??= [undefined];
    node.pending[output] = this.plus(node.pending[output], gradient);
  }

  /** Counts one use of a leaf as done; the last one completes its gradient. */
  private arrive(leaf: Tensor, gradient: Tensor | undefined): void {
    const slot = this._leaves.get(leaf);
    if (slot === undefined) return;
    slot.missing--;
    if (gradient !== undefined) slot.gradient = this.plus(slot.gradient, gradient);
    if (slot.missing > 0 || slot.gradient === undefined) return;
    this._leaves.delete(leaf);
    // Held by the slot, and by the step while its result goes through unsummed.
    this.accumulate(leaf, slot.gradient, slot.gradient === gradient ? 2 : 1);
  }

  /** The sum of what came and what comes, held. */
  private plus(earlier: Tensor | undefined, gradient: Tensor): Tensor {
    const sum = earlier === undefined ? gradient : earlier.add(gradient);
    this.use(sum.storage);
    if (earlier !== undefined) this.drop(earlier.storage);
    return sum;
  }

  private runHooks(hooks: Map<number, GradientHook[]>, gradients: (Tensor | undefined)[]): void {
    for (const [output, list] of hooks) {
      const gradient = gradients[output];
      if (gradient !== undefined) gradients[output] = this.hooked(gradient, list);
    }
  }

  /** A gradient after its hooks, whose memory is no longer ours: a hook may have kept what it saw. */
  private hooked(gradient: Tensor, hooks: readonly GradientHook[]): Tensor {
    let result = gradient;
    for (const hook of [...hooks]) {
      this.keep(result.storage);
      result = hooked(result, hook);
      this.keep(result.storage);
    }
    return result;
  }

  /** Adds to a leaf's .grad, taking the gradient's memory where nobody but its `holders` here looks at it. */
  private accumulate(leaf: Tensor, incoming: Tensor, holders: number): void {
    const gradient = leaf._hooks === undefined ? incoming : this.hooked(incoming, leaf._hooks);
    const earlier = leaf._grad;
    if (earlier !== undefined && this._createGraph) leaf.grad = earlier.add(gradient);
    else if (earlier !== undefined) earlier.add_(gradient);
    else if (this._createGraph) leaf.grad = gradient.clone();
    else leaf._ownGrad(this.own(leaf, gradient, holders));
    if (leaf._grad !== undefined) this.keep(leaf._grad.storage);
    this.drop(incoming.storage);
    if (leaf._accumulatedHooks !== undefined) for (const hook of [...leaf._accumulatedHooks]) hook(leaf);
  }

  private own(leaf: Tensor, gradient: Tensor, holders: number): Tensor {
    const { storage } = gradient;
    const free =
      storage.serial >= this._start &&
      storage.pass === this._pass &&
      storage.holds === holders &&
      gradient.dtype === leaf.dtype &&
      sameShape(gradient.strides, leaf.strides) &&
      isDense(gradient.shape, gradient.strides);
    return free ? gradient : gradient._copyLike(leaf);
  }

  private use(storage: Storage): void {
    if (storage.pass !== this._pass) {
      storage.pass = this._pass;
      storage.holds = 0;
    }
    if (storage.holds < KEPT) storage.holds++;
  }

  /** Marks memory that leaves the pass: a leaf's .grad, a hook's, the caller's. It is held for ever. */
  private keep(storage: Storage): void {
    storage.pass = this._pass;
    storage.holds = KEPT;
  }

  private drop(storage: Storage): void {
    if (storage.pass !== this._pass) return; // a pass started by a hook has seen it, too
    if (storage.holds < KEPT) storage.holds--;
    if (storage.holds === 0 && storage.serial >= this._start && !this._createGraph) storage.backend.release(storage);
  }
}

function hooked(gradient: Tensor, hook: GradientHook): Tensor {
  const result = hook(gradient) ?? gradient;
  if (sameShape(result.shape, gradient.shape)) return result;
  throw new ShapeError("hook", `the hook returned [${result.shape}] for a gradient of [${gradient.shape}].`);
}

import { GradientError, ShapeError } from "../../backend/errors.ts";
import { sameShape } from "../../backend/shape.ts";
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
  if (!sameShape(given.shape, root.shape)) {
    throw new ShapeError("backward", `gradient [${given.shape}] does not have the tensor's shape [${root.shape}].`);
  }
  return given;
}

/** The state of one backward pass. Gradients nobody can see any more give their memory back at once. */
class BackwardRun {
  private readonly _retain: boolean;
  private readonly _createGraph: boolean;
  private readonly _pending = new Map<GradNode, (Tensor | undefined)[]>();
  /** How many pending gradients look at a storage. */
  private readonly _uses = new Map<Storage, number>();
  /** Storages that left the pass: a leaf's .grad, a hook's, the caller's. */
  private readonly _kept = new Set<Storage>();
  /** Older storages are saved values or parameters: never ours to give back. */
  private readonly _start: number = Storage.count;

  constructor(retain: boolean, createGraph: boolean) {
    this._retain = retain;
    this._createGraph = createGraph;
  }

  from(root: Tensor, gradient: Tensor): void {
    this._kept.add(gradient.storage);
    if (root._node === undefined) {
      this.accumulate(root, gradient);
      return;
    }
    const nodes = reachable(root._node);
    this.push(root._node, root._outputIndex, gradient);
    for (const node of nodes) {
      const gradients = this._pending.get(node);
      if (gradients === undefined) continue;
      this._pending.delete(node);
      this.step(node, gradients);
    }
  }

  private step(node: GradNode, gradients: (Tensor | undefined)[]): void {
    if (node.hooks !== undefined) this.runHooks(node.hooks, gradients);
    const results = node.backward(gradients);
    node.edges.forEach((edge, i) => {
      const gradient = results[i];
      if (edge === undefined || gradient === undefined) return;
      if (edge instanceof GradNode) this.push(edge, node.edgeOutputs[i], gradient);
      else this.accumulate(edge, gradient);
    });
    for (const gradient of gradients) if (gradient !== undefined) this.drop(gradient.storage);
    if (!this._retain) node.release();
  }

  private push(node: GradNode, output: number, gradient: Tensor): void {
    let slots = this._pending.get(node);
    if (slots === undefined) {
      slots = [];
      this._pending.set(node, slots);
    }
    const earlier = slots[output];
    if (earlier === undefined) {
      slots[output] = gradient;
      this.use(gradient.storage);
      return;
    }
    const sum = earlier.add(gradient);
    slots[output] = sum;
    this.use(sum.storage);
    this.drop(earlier.storage);
    this.use(gradient.storage);
    this.drop(gradient.storage);
  }

  private runHooks(hooks: Map<number, GradientHook[]>, gradients: (Tensor | undefined)[]): void {
    for (const [output, list] of hooks) {
      for (const hook of list) {
        const gradient = gradients[output];
        if (gradient === undefined) continue;
        this._kept.add(gradient.storage);
        const result = hooked(gradient, hook);
        this._kept.add(result.storage);
        gradients[output] = result;
      }
    }
  }

  /** Adds to a leaf's .grad, taking the gradient's memory where nobody else looks at it. */
  private accumulate(leaf: Tensor, incoming: Tensor): void {
    let gradient = incoming;
    for (const hook of leaf._hooks) gradient = hooked(gradient, hook);
    if (leaf.grad === undefined) {
      leaf.grad = this.own(leaf, gradient);
      this._kept.add(leaf.grad.storage);
    } else if (this._createGraph) {
      leaf.grad = leaf.grad.add(gradient);
    } else {
      leaf.grad.add_(gradient);
      if (leaf._hooks.length > 0) this._kept.add(gradient.storage);
      this.use(gradient.storage);
      this.drop(gradient.storage);
    }
    for (const hook of leaf._accumulatedHooks) hook(leaf);
  }

  private own(leaf: Tensor, gradient: Tensor): Tensor {
    if (this._createGraph) return gradient;
    const free =
      !this._kept.has(gradient.storage) &&
      !this._uses.has(gradient.storage) &&
      gradient.dtype === leaf.dtype &&
      sameShape(gradient.strides, leaf.strides) &&
      gradient.storage.bytes !== leaf.storage.bytes;
    return free ? gradient : gradient._copyLike(leaf);
  }

  private use(storage: Storage): void {
    this._uses.set(storage, (this._uses.get(storage) ?? 0) + 1);
  }

  private drop(storage: Storage): void {
    const uses = (this._uses.get(storage) ?? 1) - 1;
    if (uses > 0) {
      this._uses.set(storage, uses);
      return;
    }
    this._uses.delete(storage);
    const ours = storage.serial >= this._start && !this._kept.has(storage);
    if (ours && !this._createGraph) storage.backend.release(storage);
  }
}

function hooked(gradient: Tensor, hook: GradientHook): Tensor {
  const result = hook(gradient) ?? gradient;
  if (sameShape(result.shape, gradient.shape)) return result;
  throw new ShapeError("hook", `the hook returned [${result.shape}] for a gradient of [${gradient.shape}].`);
}

/** Every node that can be reached, newest first. */
function reachable(root: GradNode): GradNode[] {
  const seen = new Set<GradNode>([root]);
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    for (const edge of node.edges) {
      if (edge instanceof GradNode && !seen.has(edge)) {
        seen.add(edge);
        stack.push(edge);
      }
    }
  }
  return [...seen].sort((a, b) => b.id - a.id);
}

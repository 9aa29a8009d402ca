import { installHook } from "../../nn/hooks.ts";
import type { AnyModule } from "../../nn/module.ts";
import { GradNode } from "../../tensor/autograd/node.ts";
import type { HookHandle } from "../../tensor/base.ts";
import { Tensor } from "../../tensor/tensor.ts";

/** Time that modules of one class took, without modules inside them. */
export interface ModuleTime {
  /** The class, or `(loss)` for what came after the model. */
  readonly name: string;
  /** Forward computations. */
  readonly calls: number;
  /** Seconds. */
  readonly forward: number;
  readonly backward: number;
  /** Part of the training passes' whole time, from 0 to 1. */
  readonly share: number;
}

interface Times {
  calls: number;
  forward: number;
  backward: number;
}

interface Frame {
  readonly name: string;
  /** Where the tape had got to on the inputs. */
  readonly inputs: ReadonlySet<GradNode>;
}

const lossName = "(loss)";

/**
 * Times modules by class: forward between hooks, backward by the nodes of the tape, each of which belongs to the module
 * during whose forward it was made. The step is timed as it runs unwatched: a ReLU that is done in one pass with the layer
 * before it counts there.
 */
export class ModuleTimer {
  private _times = new Map<string, Times>();
  private _handles: HookHandle[] = [];
  private _owners = new Map<GradNode, string>();
  private _stack: Frame[] = [];
  private _isOn = false;
  private _current: string | undefined;
  private _latest = 0;

  /** Puts hooks on a model and all below it. */
  begin(model: AnyModule): void {
    this.end();
    this._times = new Map();
    for (const module of model.modules()) {
      const { name } = module.constructor;
      this._handles.push(
        installHook(module, {
          before: (inputs) => this.enter(name, inputs),
          after: (_, output) => this.leave(output),
          isQuiet: true,
        }),
      );
    }
  }

  /** Takes the hooks off again. */
  end(): void {
    for (const handle of this._handles.reverse()) handle.remove();
    this._handles = [];
    this.afterBatch();
  }

  /** A training batch is about to go forward. */
  beforeBatch(): void {
    this._isOn = true;
    this._stack = [];
  }

  /** Time goes on outside the modules, until it is stopped. */
  start(): void {
    if (this._isOn) this.turn(lossName, "forward");
  }

  stop(): void {
    if (this._isOn) this.turn(undefined, "forward");
  }

  /** Makes every node of the tape say when its backward begins. */
  beforeBackward(loss: Tensor): void {
    if (!this._isOn) return;
    if (loss._node !== undefined) this.claim([loss._node], lossName, new Set());
    for (const [node, name] of this._owners) {
      const run = node.backward.bind(node);
      node.backward = (gradients) => {
        this.turn(name, "backward");
        return run(gradients);
      };
    }
    this.turn(lossName, "backward");
  }

  afterBackward(): void {
    if (this._isOn) this.turn(undefined, "backward");
  }

  /** Lets go of the tape. */
  afterBatch(): void {
    this._owners = new Map();
    this._stack = [];
    this._isOn = false;
    this._current = undefined;
  }

  /** By time, the longest first. */
  times(total: number): ModuleTime[] {
    const result = [...this._times].map(([name, times]) => {
      const share = total > 0 ? (times.forward + times.backward) / total : 0;
      return { name, ...times, share };
    });
    return result.sort((a, b) => b.share - a.share);
  }

  private enter(name: string, inputs: readonly unknown[]): void {
    if (!this._isOn) return;
    this._stack.push({ name, inputs: new Set(nodesOf(inputs)) });
    this.turn(name, "forward");
    this.timesOf(name).calls++;
  }

  private leave(output: unknown): void {
    const frame = this._isOn ? this._stack.pop() : undefined;
    if (frame === undefined) return;
    this.turn(undefined, "forward");
    this.claim(nodesOf([output]), frame.name, frame.inputs);
    this.turn(this._stack.at(-1)?.name ?? lossName, "forward");
  }

  /** Gives the nodes from some back to the inputs, as far as they are nobody's, to a module. */
  private claim(from: readonly GradNode[], name: string, inputs: ReadonlySet<GradNode>): void {
    const pending = [...from];
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      if (this._owners.has(node) || inputs.has(node)) continue;
      this._owners.set(node, name);
      for (const edge of node.edges) if (edge instanceof GradNode) pending.push(edge);
    }
  }

  /** From now on time goes to another module; undefined stops the clock. */
  private turn(name: string | undefined, direction: "forward" | "backward"): void {
    const now = performance.now();
    if (this._current !== undefined) this.timesOf(this._current)[direction] += (now - this._latest) / 1000;
    this._current = name;
    this._latest = now;
  }

  private timesOf(name: string): Times {
    let times = this._times.get(name);
    if (times === undefined) {
      times = { calls: 0, forward: 0, backward: 0 };
      this._times.set(name, times);
    }
    return times;
  }
}

/** The tape's ends at some tensors, also those in arrays and plain objects. */
function nodesOf(values: readonly unknown[]): GradNode[] {
  return values.flatMap((value) => {
    if (value instanceof Tensor) return value._node === undefined ? [] : [value._node];
    if (Array.isArray(value)) return nodesOf(value);
    return typeof value === "object" && value !== null ? nodesOf(Object.values(value)) : [];
  });
}

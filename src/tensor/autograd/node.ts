import { GradientError } from "../../backend/errors.ts";
import type { BackwardContext, Op, OutputSpec, ViewOp } from "../ops/op.ts";
import type { Tensor } from "../tensor.ts";

/** A function on a gradient; a returned tensor replaces it. */
export type GradientHook = (gradient: Tensor) => Tensor | undefined;

let nextId = 0;

/**
 * One step on the tape. Ids grow with time, so going through nodes by falling id is a valid order for backward.
 */
export abstract class GradNode {
  readonly id: number = nextId++;
  abstract readonly name: string;
  /** Where the gradients go: the node that made an input, or the input itself when it is a leaf. */
  abstract readonly edges: readonly (GradNode | Tensor | undefined)[];
  /** Which output of the edge's node each input was. */
  abstract readonly edgeOutputs: readonly number[];
  /** Hooks on the gradient of an output, by output position. */
  hooks: Map<number, GradientHook[]> | undefined = undefined;
  /** The backward pass that came by last, and what it has gathered for the outputs so far. */
  pass = 0;
  pending: (Tensor | undefined)[] | undefined = undefined;

  /** Gradients of the inputs from those of the outputs. */
  abstract backward(gradients: readonly (Tensor | undefined)[]): readonly (Tensor | undefined)[];
  /** Lets saved values go. */
  abstract release(): void;
}

/** Links of a new node to the past: shared by both kinds. */
function edgeOf(tensor: Tensor): GradNode | Tensor | undefined {
  return tensor.requiresGrad ? (tensor._node ?? tensor) : undefined;
}

/** The tape entry of an {@link Op}. */
export class OpNode<Options> extends GradNode implements BackwardContext<Options> {
  readonly op: Op<Options>;
  readonly options: Options;
  readonly edges: readonly (GradNode | Tensor | undefined)[];
  readonly edgeOutputs: readonly number[];
  readonly needs: readonly boolean[];
  readonly inputSpecs: readonly OutputSpec[];
  inputs: readonly Tensor[] = [];
  outputs: readonly Tensor[] = [];
  gradients: readonly (Tensor | undefined)[] = [];
  private readonly _versions: number[];
  private _spent = false;

  constructor(op: Op<Options>, options: Options, inputs: readonly Tensor[], outputs: readonly Tensor[]) {
    super();
    this.op = op;
    this.options = options;
    const count = inputs.length;
    // Sized beforehand: an array that grows by push takes room for 17, and there are many of these.
    const edges = new Array<GradNode | Tensor | undefined>(count);
    const edgeOutputs = new Array<number>(count);
    const needs = new Array<boolean>(count);
    const specs = new Array<OutputSpec>(count);
    for (let i = 0; i < count; i++) {
      const x = inputs[i];
      edges[i] = edgeOf(x);
      edgeOutputs[i] = x._outputIndex;
      needs[i] = x.requiresGrad;
      specs[i] = { shape: x.shape, dtype: x.dtype, strides: x.strides };
    }
    this.edges = edges;
    this.edgeOutputs = edgeOutputs;
    this.needs = needs;
    this.inputSpecs = specs;
    if (op.saves === "inputs" || op.saves === "both") this.inputs = inputs;
    if (op.saves === "outputs" || op.saves === "both") this.outputs = outputs;
    this._versions = new Array<number>(this.inputs.length + this.outputs.length);
    this.save(this.inputs, 0);
    this.save(this.outputs, this.inputs.length);
  }

  get name(): string {
    return this.op.name;
  }

  get gradient(): Tensor {
    const gradient = this.gradients.find((g) => g !== undefined);
    if (gradient === undefined) throw new GradientError(this.name, "backward without a gradient.");
    return this.gradients[0] ?? gradient;
  }

  backward(gradients: readonly (Tensor | undefined)[]): readonly (Tensor | undefined)[] {
    if (this.op.backward === undefined) throw new GradientError(this.name, "this operation has no gradient.");
    if (this._spent) {
      throw new GradientError(
        this.name,
        "its saved values are gone after the first backward. Pass { retainGraph: true } to it to go through again.",
      );
    }
    this.checkVersions();
    this.gradients = gradients;
    try {
      return this.op.backward(this);
    } finally {
      this.gradients = [];
    }
  }

  release(): void {
    const { inputs, outputs } = this;
    this.inputs = [];
    this.outputs = [];
    this._spent = this.op.saves !== "nothing";
    for (const x of inputs) x.storage.unsave();
    for (const y of outputs) y.storage.unsave();
    if (this.op.visible !== undefined) for (const y of outputs.slice(this.op.visible)) y.storage.abandon();
  }

  private save(tensors: readonly Tensor[], at: number): void {
    for (let i = 0; i < tensors.length; i++) {
      const { storage } = tensors[i];
      storage.save();
      this._versions[at + i] = storage.version;
    }
  }

  private checkVersions(): void {
    const { inputs, outputs, _versions: versions } = this;
    for (let i = 0; i < inputs.length; i++) this.checkVersion(inputs[i], versions[i]);
    for (let i = 0; i < outputs.length; i++) this.checkVersion(outputs[i], versions[inputs.length + i]);
  }

  private checkVersion({ shape, storage: { version: now } }: Tensor, then: number): void {
    if (then === now) return;
    throw new GradientError(
      this.name,
      `a value saved for backward, [${shape}], was changed in place after the forward (version ${now}, ` +
        `saved at ${then}). Change a clone(), or step the optimizer after backward.`,
    );
  }
}

/** The tape entry of a {@link ViewOp}. */
export class ViewNode<Options> extends GradNode {
  readonly op: ViewOp<Options>;
  readonly options: Options;
  readonly edges: readonly (GradNode | Tensor | undefined)[];
  readonly edgeOutputs: readonly number[];
  private readonly _inputShape: readonly number[];

  constructor(op: ViewOp<Options>, options: Options, input: Tensor) {
    super();
    this.op = op;
    this.options = options;
    this.edges = [edgeOf(input)];
    this.edgeOutputs = [input._outputIndex];
    this._inputShape = input.shape;
  }

  get name(): string {
    return this.op.name;
  }

  backward([gradient]: readonly (Tensor | undefined)[]): readonly (Tensor | undefined)[] {
    return [gradient && this.op.backward(gradient, this._inputShape, this.options)];
  }

  release(): void {}
}

import type { Backend } from "../../backend/backend.ts";
import type { DType } from "../../backend/dtype.ts";
import type { Shape } from "../../backend/shape.ts";
import type { Tensor } from "../tensor.ts";

/** What an output will be; without strides it is row-major. */
export interface OutputSpec {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly strides?: readonly number[] | undefined;
}

/** What a backward rule may look at. */
export interface BackwardContext<Options> {
  /** Gradient of the first output. */
  readonly gradient: Tensor;
  /** Gradients of all outputs; undefined where nothing flowed back. */
  readonly gradients: readonly (Tensor | undefined)[];
  /** The inputs, when the op saves them. */
  readonly inputs: readonly Tensor[];
  /** The outputs, hidden ones too, when the op saves them. */
  readonly outputs: readonly Tensor[];
  /** Shape and dtype of the inputs, always. */
  readonly inputSpecs: readonly OutputSpec[];
  readonly options: Options;
  /** Which inputs want a gradient. */
  readonly needs: readonly boolean[];
}

/** Which values the backward rule reads; all others are let go after the forward. */
export type Saves = "nothing" | "inputs" | "outputs" | "both";

/**
 * An operation as data: its shape check, its kernel call and its gradient in one place.
 * Op objects import `Tensor` as a type only; results are made by `apply`.
 *
 * A backward rule must not keep the tensors it gets or makes: gradients are recycled as soon as they are used.
 */
export interface Op<Options = undefined> {
  readonly name: string;
  readonly saves: Saves;
  /** How many of the outputs callers see; the rest serve backward only. Default all. */
  readonly visible?: number;
  /** Shapes and dtypes of the outputs; the only place that refuses inputs. */
  infer(inputs: readonly Tensor[], options: Options): readonly OutputSpec[];
  forward(backend: Backend, inputs: readonly Tensor[], outputs: readonly Tensor[], options: Options): void;
  /** One gradient per input, undefined where `needs` is false. Absent: not differentiable. */
  readonly backward?: (context: BackwardContext<Options>) => readonly (Tensor | undefined)[];
}

/** Where a view finds its elements. */
export interface Layout {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** An operation that moves no data: its result looks at the input's memory. */
export interface ViewOp<Options = undefined> {
  readonly name: string;
  view(input: Tensor, options: Options): Layout;
  backward(gradient: Tensor, inputShape: Shape, options: Options): Tensor;
}

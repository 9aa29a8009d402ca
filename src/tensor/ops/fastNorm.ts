/** Normalisation by a backend's own kernels, where memory lies as they want it: batch norm by columns, layer norm by rows. */
import type { View } from "../../backend/backend.ts";
import { contiguousStrides, type Shape } from "../../backend/shape.ts";
import type { Tensor } from "../tensor.ts";
import type { NormOptions } from "./norm.ts";
import type { BackwardContext } from "./op.ts";

/** Weight and bias of a normalisation, where it has them. */
export interface Affine {
  readonly weight: Tensor | undefined;
  readonly bias: Tensor | undefined;
}

/** Where weight and bias stand among the inputs of the op; −1 where they are not. */
export function affinePositions({ hasWeight, hasBias }: Pick<NormOptions, "hasWeight" | "hasBias">): {
  weight: number;
  bias: number;
} {
  return { weight: hasWeight ? 3 : -1, bias: hasBias ? (hasWeight ? 4 : 3) : -1 };
}

/** Weight and bias among the inputs of the op. */
export function affineOf(inputs: readonly Tensor[], options: NormOptions): Affine {
  const at = affinePositions(options);
  return { weight: inputs[at.weight], bias: inputs[at.bias] };
}

/** A tensor of dense elements as one axis. */
export function flatten(x: Tensor): Tensor {
  return x._wrap(x.storage, [x.numel()], [1], x.offset, x.dtype);
}

/**
 * Fills in mean and variance where the backend has a kernel for it. Layer norm computes them while it normalises; until
 * then they are empty.
 */
export function fastStatistics(x: Tensor, mean: Tensor, variance: Tensor, options: NormOptions): boolean {
  const { columnMoments, layerNorm } = x.storage.backend.fast;
  if (layerNorm !== undefined && rowsOf(x, options) !== undefined) return true;
  const columns = columnsOf(x, options);
  if (columnMoments === undefined || columns === undefined) return false;
  columnMoments(columns, flatten(mean), flatten(variance));
  return true;
}

/** Normalises by the backend's kernel; false where it has none. */
export function fastForward(inputs: readonly Tensor[], out: Tensor, options: NormOptions): boolean {
  const [x, m, v] = inputs;
  const { normalizeColumns, layerNorm } = x.storage.backend.fast;
  const affine = affineOf(inputs, options);
  const [weight, bias] = [affine.weight && flatten(affine.weight), affine.bias && flatten(affine.bias)];
  const [columns, columnsOut] = [columnsOf(x, options), columnsOf(out, options)];
  if (normalizeColumns !== undefined && columns !== undefined && columnsOut !== undefined) {
    normalizeColumns(columns, flatten(m), flatten(v), weight, bias, options, columnsOut);
    return true;
  }
  const [rows, rowsOut] = [rowsOf(x, options), rowsOf(out, options)];
  if (layerNorm === undefined || rows === undefined || rowsOut === undefined) return false;
  layerNorm(rows, weight, bias, options.epsilon, rowsOut, flatten(m), flatten(v));
  return true;
}

/** The gradients by the backend's kernel; undefined where it has none. */
export function fastBackward(context: BackwardContext<NormOptions>): readonly (Tensor | undefined)[] | undefined {
  const { gradient, inputs, options, needs, inputSpecs } = context;
  const [x, m, v] = inputs;
  const { normalizeColumnsBackward, layerNormBackward } = x.storage.backend.fast;
  const affine = affineOf(inputs, options);
  const [weight, bias] = [affine.weight && flatten(affine.weight), affine.bias && flatten(affine.bias)];
  const at = affinePositions(options);
  const makeResults = (): (Tensor | undefined)[] =>
    inputSpecs.map(({ shape, dtype }, i) => {
      if (!needs[i] || i === 1 || i === 2) return undefined;
      return i === 0 ? x._empty(shape, dtype, x.strides) : x._empty(shape, dtype);
    });
  const columns = columnsOf(x, options);
  if (normalizeColumnsBackward !== undefined && columns !== undefined) {
    const like = x.rank === 2 ? gradient.contiguous() : gradient.contiguous({ memoryFormat: "channelsLast" });
    const from = columnsOf(like, options) ?? columns;
    const results = makeResults();
    const out = results[0] && columnsOf(results[0], options);
    const [weightOut, biasOut] = [results[at.weight], results[at.bias]].map((r) => r && flatten(r));
    normalizeColumnsBackward(from, columns, flatten(m), flatten(v), weight, bias, options, out, weightOut, biasOut);
    return results;
  }
  const rows = rowsOf(x, options);
  if (layerNormBackward === undefined || rows === undefined) return undefined;
  const from = rowsOf(gradient.contiguous(), options) ?? rows;
  const results = makeResults();
  const out = results[0] && rowsOf(results[0], options);
  const [weightOut, biasOut] = [results[at.weight], results[at.bias]].map((r) => r && flatten(r));
  layerNormBackward(from, rows, flatten(m), flatten(v), weight, options.epsilon, out, weightOut, biasOut);
  return results;
}

/** Batch norm's input as rows `[m, c]`, where it is one block of memory in that order. */
function columnsOf(x: Tensor, { name, shape }: NormOptions): View | undefined {
  if (name !== "batchNorm" || x.dtype !== "float32" || x.numel() === 0) return undefined;
  const whole = x.rank === 2 ? x.isContiguous() : x.isContiguous({ memoryFormat: "channelsLast" });
  return whole ? asMatrix(x, [x.numel() / shape[1], shape[1]]) : undefined;
}

/** Layer norm's input as rows `[m, f]`. */
function rowsOf(x: Tensor, { name, shape }: NormOptions): View | undefined {
  const fits = name === "layerNorm" && x.dtype === "float32" && x.numel() > 0 && x.isContiguous();
  return fits ? asMatrix(x, shape) : undefined;
}

function asMatrix(x: Tensor, shape: Shape): View {
  return x._wrap(x.storage, shape, contiguousStrides(shape), x.offset, x.dtype);
}

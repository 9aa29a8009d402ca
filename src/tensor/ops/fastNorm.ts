/**
 * Normalisation by a backend's own kernels, where memory lies as they want it: batch norm by columns, layer norm by rows,
 * group and instance norm by samples.
 */
import type { View } from "../../backend/backend.ts";
import { contiguousStrides, type Shape } from "../../backend/shape.ts";
import type { Tensor } from "../tensor.ts";
import { followsChannelsLast } from "./imageFormat.ts";
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
 * Fills in mean and variance where the backend has a kernel for it. Layer, group and instance norm compute them while
 * they normalise; until then they are empty.
 */
export function fastStatistics(x: Tensor, mean: Tensor, variance: Tensor, options: NormOptions): boolean {
  const { columnMoments, layerNorm, groupNorm } = x.storage.backend.fast;
  if (layerNorm !== undefined && rowsOf(x, options) !== undefined) return true;
  if (groupNorm !== undefined && samplesOf(x, options) !== undefined) return true;
  const columns = columnsOf(x, options);
  if (columnMoments === undefined || columns === undefined) return false;
  columnMoments(columns, flatten(mean), flatten(variance));
  return true;
}

/** Normalises by the backend's kernel; false where it has none. */
export function fastForward(inputs: readonly Tensor[], out: Tensor, options: NormOptions): boolean {
  const [x, m, v] = inputs;
  const { normalizeColumns, layerNorm, groupNorm } = x.storage.backend.fast;
  const { epsilon, shape } = options;
  const { weight, bias } = vectorsOf(inputs, options);
  const [columns, columnsOut] = [columnsOf(x, options), columnsOf(out, options)];
  if (normalizeColumns !== undefined && columns !== undefined && columnsOut !== undefined) {
    normalizeColumns(columns, flatten(m), flatten(v), weight, bias, options, columnsOut);
    return true;
  }
  const [rows, rowsOut] = [rowsOf(x, options), rowsOf(out, options)];
  if (layerNorm !== undefined && rows !== undefined && rowsOut !== undefined) {
    layerNorm(rows, weight, bias, epsilon, rowsOut, flatten(m), flatten(v));
    return true;
  }
  const [samples, samplesOut] = [samplesOf(x, options), samplesOf(out, options)];
  if (groupNorm === undefined || samples === undefined || samplesOut === undefined) return false;
  groupNorm(samples, weight, bias, shape[1], epsilon, samplesOut, flatten(m), flatten(v));
  return true;
}

/** The gradients by the backend's kernel; undefined where it has none. */
export function fastBackward(context: BackwardContext<NormOptions>): readonly (Tensor | undefined)[] | undefined {
  const { gradient, inputs, options, needs, inputSpecs } = context;
  const [x, m, v] = inputs;
  const { normalizeColumnsBackward, layerNormBackward, groupNormBackward } = x.storage.backend.fast;
  const { epsilon, shape } = options;
  const { weight, bias } = vectorsOf(inputs, options);
  const at = affinePositions(options);
  const makeResults = (): { results: (Tensor | undefined)[]; vectors: (Tensor | undefined)[] } => {
    const results = inputSpecs.map(({ shape, dtype }, i) => {
      if (!needs[i] || i === 1 || i === 2) return undefined;
      return i === 0 ? x._empty(shape, dtype, x.strides) : x._empty(shape, dtype);
    });
    return { results, vectors: [results[at.weight], results[at.bias]].map((r) => r && flatten(r)) };
  };
  const columns = columnsOf(x, options);
  if (normalizeColumnsBackward !== undefined && columns !== undefined) {
    const like = x.rank === 2 ? gradient.contiguous() : gradient.contiguous({ memoryFormat: "channelsLast" });
    const from = columnsOf(like, options) ?? columns;
    const { results, vectors } = makeResults();
    const out = results[0] && columnsOf(results[0], options);
    normalizeColumnsBackward(from, columns, flatten(m), flatten(v), weight, bias, options, out, vectors[0], vectors[1]);
    return results;
  }
  const rows = rowsOf(x, options);
  if (layerNormBackward !== undefined && rows !== undefined) {
    const from = rowsOf(gradient.contiguous(), options) ?? rows;
    const { results, vectors } = makeResults();
    const out = results[0] && rowsOf(results[0], options);
    layerNormBackward(from, rows, flatten(m), flatten(v), weight, epsilon, out, vectors[0], vectors[1]);
    return results;
  }
  const samples = samplesOf(x, options);
  if (groupNormBackward === undefined || samples === undefined) return undefined;
  const like = followsChannelsLast(x) ? gradient.contiguous({ memoryFormat: "channelsLast" }) : gradient.contiguous();
  const from = samplesOf(like, options) ?? samples;
  const { results, vectors } = makeResults();
  const out = results[0] && samplesOf(results[0], options);
  const [weightOut, biasOut] = vectors;
  groupNormBackward(from, samples, flatten(m), flatten(v), weight, shape[1], epsilon, out, weightOut, biasOut);
  return results;
}

/** Weight and bias as one axis each, without gaps. */
function vectorsOf(inputs: readonly Tensor[], options: NormOptions): Affine {
  const { weight, bias } = affineOf(inputs, options);
  return { weight: weight && vectorOf(weight), bias: bias && vectorOf(bias) };
}

function vectorOf(parameter: Tensor): Tensor {
  return flatten(parameter.isContiguous() ? parameter : parameter.detach().contiguous());
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

/** Group or instance norm's input as `[n, c, p]`, row-major or with the channels last. */
function samplesOf(x: Tensor, { name }: NormOptions): View | undefined {
  if (name !== "groupNorm" && name !== "instanceNorm") return undefined;
  if (x.dtype !== "float32" || x.numel() === 0) return undefined;
  const [n, c] = x.shape;
  const shape = [n, c, x.numel() / (n * c)];
  if (x.isContiguous()) return asMatrix(x, shape);
  const strides = [c * shape[2], 1, c];
  return followsChannelsLast(x) ? x._wrap(x.storage, shape, strides, x.offset, x.dtype) : undefined;
}

function asMatrix(x: Tensor, shape: Shape): View {
  return x._wrap(x.storage, shape, contiguousStrides(shape), x.offset, x.dtype);
}

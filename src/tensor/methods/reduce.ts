import { ArgumentError, IndexError } from "../../backend/errors.ts";
import { normalizeAxes, normalizeAxis } from "../../backend/shape.ts";
import { apply, applyAll } from "../apply.ts";
import { requireFloat, sumToShape } from "../ops/elementwise.ts";
import { gatherOp, sortOp } from "../ops/indexing.ts";
import {
  absSumOp,
  argExtremeOp,
  countOver,
  cumsumOp,
  extremeOp,
  powerNormOp,
  prodOp,
  rootOp,
  runningProduct,
  type SumOp,
  scaledSumOp,
  squareSumOp,
  sumOp,
  truthOp,
  varianceOp,
} from "../ops/reduce.ts";
import { softmaxOp } from "../ops/softmax.ts";
import type { Tensor } from "../tensor.ts";
import { ElementwiseMethods } from "./elementwise.ts";

/** One axis, several, or (undefined) all; negative ones count from the end. */
export type Axes = number | readonly number[] | undefined;

/** Whether reduced axes stay, with size 1. Default false. */
export interface KeepDims {
  readonly keepDims?: boolean;
}

/** Values with the positions they were found at. */
export interface ValuesAndIndices {
  readonly values: Tensor;
  readonly indices: Tensor;
}

/** Methods that join elements along axes, or put them in order. */
export abstract class ReduceMethods extends ElementwiseMethods {
  /**
   * Sum over axes; integers and bools give int32.
   *
   * @param axes - Default all.
   * @example
   * tensor([[1, 2], [3, 4]]).sum(0).toArray(); // => [4, 6]
   */
  sum(this: Tensor, axes?: Axes, options: KeepDims = {}): Tensor {
    return reduceSum("sum", sumOp, [this], axes, options, []);
  }

  /**
   * Mean over axes.
   *
   * @throws {@link DTypeError} for integers and bools.
   * @example
   * tensor([[1, 2], [3, 4]]).mean().item(); // => 2.5
   */
  mean(this: Tensor, axes?: Axes, options: KeepDims = {}): Tensor {
    requireFloat("mean", this);
    const list = normalizeAxes("mean", axes, this.rank);
    const count = countOver(this.shape, list);
    if (count === 0) return this.sum(list, options).div(0); // the mean of nothing is NaN
    return reduceSum("mean", scaledSumOp, [this], list, options, [1 / count]);
  }

  /**
   * Variance over axes.
   *
   * @param options.correction - Taken from the count: 1 (default) estimates, 0 describes.
   */
  var(this: Tensor, axes?: Axes, options: KeepDims & { correction?: number } = {}): Tensor {
    requireFloat("var", this);
    const list = normalizeAxes("var", axes, this.rank);
    const mean = this.mean(list, { keepDims: true });
    const count = countOver(this.shape, list);
    if (count === 0) return this.sum(list, options).div(0); // as of nothing, NaN
    const degrees = Math.max(0, count - (options.correction ?? 1));
    return reduceSum("var", varianceOp, [this, mean], list, options, [1 / degrees]);
  }

  /** Standard deviation over axes, with gradient 0 where it is 0; see {@link var}. */
  std(this: Tensor, axes?: Axes, options: KeepDims & { correction?: number } = {}): Tensor {
    return rootOp.call(this.var(axes, options));
  }

  /** Product over one axis or all; integers and bools give int32. */
  prod(this: Tensor, axis?: number, options: KeepDims = {}): Tensor {
    if (axis === undefined) {
      const all = apply(prodOp, [this.reshape([-1])], { axis: 0 });
      return options.keepDims ? all.reshape(this.shape.map(() => 1)) : all;
    }
    const one = normalizeAxis("prod", axis, this.rank);
    if (this.rank === 0) return this.prod();
    const result = apply(prodOp, [this], { axis: one });
    return options.keepDims ? result.unsqueeze(one) : result;
  }

  /** The largest element; or, along an axis, the largest ones with their positions. */
  max(this: Tensor): Tensor;
  max(this: Tensor, axis: number, options?: KeepDims): ValuesAndIndices;
  max(this: Tensor, axis?: number, options: KeepDims = {}): Tensor | ValuesAndIndices {
    return axis === undefined ? this.amax() : extremeAlong("max", this, axis, options);
  }

  /** The smallest element; or, along an axis, the smallest ones with their positions. */
  min(this: Tensor): Tensor;
  min(this: Tensor, axis: number, options?: KeepDims): ValuesAndIndices;
  min(this: Tensor, axis?: number, options: KeepDims = {}): Tensor | ValuesAndIndices {
    return axis === undefined ? this.amin() : extremeAlong("min", this, axis, options);
  }

  /** Largest over axes; equal ones share the gradient. */
  amax(this: Tensor, axes?: Axes, { keepDims = false }: KeepDims = {}): Tensor {
    return apply(extremeOp, [this], { kind: "max", axes: normalizeAxes("amax", axes, this.rank), keepDims });
  }

  /** Smallest over axes; equal ones share the gradient. */
  amin(this: Tensor, axes?: Axes, { keepDims = false }: KeepDims = {}): Tensor {
    return apply(extremeOp, [this], { kind: "min", axes: normalizeAxes("amin", axes, this.rank), keepDims });
  }

  /** Position of the largest along an axis, or in the flattened tensor; the first of equals. */
  argmax(this: Tensor, axis?: number, options: KeepDims = {}): Tensor {
    return argExtreme("max", this, axis, options);
  }

  /** Position of the smallest along an axis, or in the flattened tensor; the first of equals. */
  argmin(this: Tensor, axis?: number, options: KeepDims = {}): Tensor {
    return argExtreme("min", this, axis, options);
  }

  /** Whether any element over the axes is not 0. */
  any(this: Tensor, axes?: Axes, { keepDims = false }: KeepDims = {}): Tensor {
    return apply(truthOp, [this], { kind: "max", axes: normalizeAxes("any", axes, this.rank), keepDims });
  }

  /** Whether all elements over the axes are not 0. */
  all(this: Tensor, axes?: Axes, { keepDims = false }: KeepDims = {}): Tensor {
    return apply(truthOp, [this], { kind: "min", axes: normalizeAxes("all", axes, this.rank), keepDims });
  }

  /**
   * Length over axes: (Σ|x|ᵖ)^(1/p).
   *
   * @param options.p - Order; Infinity is the largest |x|. Default 2.
   */
  norm(this: Tensor, axes?: Axes, options: KeepDims & { p?: number } = {}): Tensor {
    requireFloat("norm", this);
    const { p = 2 } = options;
    if (!(p > 0)) throw new ArgumentError("norm", `the order must be above 0, got ${p}.`);
    if (p === Number.POSITIVE_INFINITY) return this.abs().amax(axes, options);
    if (p === 1) return reduceSum("norm", absSumOp, [this], axes, options, []);
    if (p === 2) return rootOp.call(reduceSum("norm", squareSumOp, [this], axes, options, []));
    return powerNormOp.call(this.abs().pow(p).sum(axes, options), 1 / p);
  }

  /** log Σ eˣ over axes, without overflow. */
  logSumExp(this: Tensor, axes?: Axes, { keepDims = false }: KeepDims = {}): Tensor {
    requireFloat("logSumExp", this);
    const list = normalizeAxes("logSumExp", axes, this.rank);
    if (countOver(this.shape, list) === 0) return this.exp().sum(list, { keepDims }).log();
    const largest = this.detach().amax(list, { keepDims: true });
    const shift = largest.where(largest.isFinite(), 0);
    const result = this.sub(shift).exp().sum(list, { keepDims: true }).log().add(shift);
    return keepDims ? result : result.squeeze(list);
  }

  /** eˣ / Σ eˣ along an axis, without overflow. */
  softmax(this: Tensor, axis: number): Tensor {
    return apply(softmaxOp, [this], { axis: normalizeAxis("softmax", axis, this.rank), log: false });
  }

  /** x − log Σ eˣ along an axis, without overflow. */
  logSoftmax(this: Tensor, axis: number): Tensor {
    return apply(softmaxOp, [this], { axis: normalizeAxis("logSoftmax", axis, this.rank), log: true });
  }

  /** Running sum along an axis. */
  cumsum(this: Tensor, axis: number): Tensor {
    return apply(cumsumOp, [this], { axis: normalizeAxis("cumsum", axis, this.rank) });
  }

  /** Running product along an axis. */
  cumprod(this: Tensor, axis: number): Tensor {
    return runningProduct(this, normalizeAxis("cumprod", axis, this.rank));
  }

  /** Elements in order along an axis, equal ones as they stood, and where they came from. Default the last axis, ascending. */
  sort(this: Tensor, axis = -1, { descending = false }: { descending?: boolean } = {}): ValuesAndIndices {
    const one = normalizeAxis("sort", axis, this.rank);
    if (this.rank === 0) {
      const { values, indices } = this.reshape([1]).sort();
      return { values: values.reshape([]), indices: indices.reshape([]) };
    }
    const [values, indices] = applyAll(sortOp, [this], { axis: one, descending });
    return { values, indices };
  }

  /** Positions that put the elements in order along an axis. */
  argsort(this: Tensor, axis = -1, options: { descending?: boolean } = {}): Tensor {
    return this.detach().sort(axis, options).indices;
  }

  /**
   * The k largest (or smallest) along an axis, best first, with their positions.
   *
   * @throws {@link IndexError} when k is not within `0 … size`.
   */
  topk(this: Tensor, k: number, axis = -1, { largest = true }: { largest?: boolean } = {}): ValuesAndIndices {
    const one = normalizeAxis("topk", axis, this.rank);
    const size = this.shape[one] ?? 1;
    if (!Number.isInteger(k) || k < 0 || k > size) {
      throw new IndexError("topk", `k = ${k} is out of range for axis ${axis} of size ${size} (0 to ${size}).`);
    }
    const { values, indices } = this.sort(one, { descending: largest });
    if (this.rank === 0 && k === 1) return { values, indices };
    return { values: values.slice(one, 0, k), indices: indices.slice(one, 0, k) };
  }

  /** Sums over the axes along which `shape` was broadcast to this tensor's shape. */
  sumTo(this: Tensor, shape: readonly number[]): Tensor {
    if (this.rank === shape.length && this.shape.every((size, i) => size === shape[i])) return this;
    if (!this.requiresGrad) return sumToShape(this, shape);
    const lead = this.rank - shape.length;
    const axes = [...this.shape.keys()].filter((i) => i < lead || (shape[i - lead] === 1 && this.shape[i] !== 1));
    return this.sum(axes, { keepDims: true }).reshape(shape);
  }
}

/** Runs a fused sum over axes. */
export function reduceSum(
  name: string,
  op: SumOp,
  inputs: readonly Tensor[],
  axes: Axes,
  { keepDims = false }: KeepDims,
  numbers: readonly number[],
): Tensor {
  return apply(op, inputs, { axes: normalizeAxes(name, axes, inputs[0].rank), keepDims, numbers });
}

function extremeAlong(kind: "max" | "min", x: Tensor, axis: number, { keepDims = false }: KeepDims): ValuesAndIndices {
  const one = normalizeAxis(kind, axis, x.rank);
  if (x.rank === 0) return { values: x, indices: argExtreme(kind, x, undefined, {}) };
  const indices = apply(argExtremeOp, [x], { kind, axis: one });
  const values = apply(gatherOp, [x, indices], { name: kind, axis: one });
  return keepDims ? { values, indices } : { values: values.squeeze(one), indices: indices.squeeze(one) };
}

function argExtreme(kind: "max" | "min", x: Tensor, axis: number | undefined, { keepDims = false }: KeepDims): Tensor {
  if (axis === undefined || x.rank === 0) {
    const flat = apply(argExtremeOp, [x.reshape([-1])], { kind, axis: 0 });
    return flat.reshape(keepDims ? x.shape.map(() => 1) : []);
  }
  const one = normalizeAxis(`arg${kind}`, axis, x.rank);
  const result = apply(argExtremeOp, [x], { kind, axis: one });
  return keepDims ? result : result.squeeze(one);
}

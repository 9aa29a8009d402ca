import { ArgumentError, ShapeError } from "../backend/errors.ts";
import type { Tensor } from "./tensor.ts";

/** Options of {@link scaledDotProductAttention}. */
export interface AttentionOptions {
  /** Who may look where, broadcast to `[…, t, s]`: a bool tensor (true: may), or numbers added to the scores. */
  readonly mask?: Tensor | undefined;
  /** Whether query i sees keys 0 … i only. Default false; not together with a mask. */
  readonly isCausal?: boolean;
  /** What the scores are multiplied with. Default 1/√e. */
  readonly scale?: number;
  /** Applied to the attention weights before they meet the values: dropout, or a look at them. */
  readonly onWeights?: (weights: Tensor) => Tensor;
}

/**
 * Each query's mean of the values, weighted by how well their keys fit: softmax(q·kᵀ·scale)·v.
 *
 * Shapes: query `[…, t, e]`, key `[…, s, e]`, value `[…, s, d]` → `[…, t, d]`.
 *
 * @throws {@link ShapeError} when sizes do not fit.
 * @throws {@link ArgumentError} when both a mask and isCausal are given.
 * @see Vaswani et al. 2017, section 3.2.1, https://arxiv.org/abs/1706.03762. PyTorch: `F.scaled_dot_product_attention`.
 * Differs: dropout is the caller's, through `onWeights`.
 * @example
 * scaledDotProductAttention(ones([1, 2, 4]), ones([1, 3, 4]), ones([1, 3, 5])).shape; // => [1, 2, 5]
 */
export function scaledDotProductAttention(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: AttentionOptions = {},
): Tensor {
  const { mask, isCausal = false, scale = 1 / Math.sqrt(query.shape.at(-1) ?? 1), onWeights } = options;
  if (query.rank < 2 || key.rank < 2 || value.rank < 2 || query.shape.at(-1) !== key.shape.at(-1)) {
    throw new ShapeError(
      "scaledDotProductAttention",
      `query [${query.shape}] does not fit key [${key.shape}] (${query.shape.at(-1)} ≠ ${key.shape.at(-1)} features).`,
    );
  }
  if (key.shape.at(-2) !== value.shape.at(-2)) {
    throw new ShapeError(
      "scaledDotProductAttention",
      `key [${key.shape}] and value [${value.shape}] differ in length (${key.shape.at(-2)} ≠ ${value.shape.at(-2)}).`,
    );
  }
  if (mask !== undefined && isCausal) {
    throw new ArgumentError("scaledDotProductAttention", "takes a mask or isCausal, not both.");
  }
  const scores = masked(query.mul(scale).matmul(key.transpose(-1, -2)), isCausal ? causalMask(query, key) : mask);
  const weights = scores.softmax(-1); // [..., t, s]
  return (onWeights === undefined ? weights : onWeights(weights)).matmul(value);
}

function masked(scores: Tensor, mask: Tensor | undefined): Tensor {
  if (mask === undefined) return scores;
  if (mask.dtype !== "bool") return scores.add(mask);
  return scores.maskedFill(mask.logicalNot(), Number.NEGATIVE_INFINITY);
}

function causalMask(query: Tensor, key: Tensor): Tensor {
  const [t, s] = [query.shape[query.rank - 2], key.shape[key.rank - 2]];
  return query._range(s).le(query._range(t).unsqueeze(1));
}

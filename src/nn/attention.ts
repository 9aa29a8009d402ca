import { ArgumentError, ShapeError } from "../backend/errors.ts";
import { scaledDotProductAttention } from "../tensor/attention.ts";
import { arange, empty, zeros } from "../tensor/create.ts";
import { cat } from "../tensor/functions.ts";
import { linear } from "../tensor/ops/matmul.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkChannelsOf, checkProbability, checkSize } from "./arguments.ts";
import { describeOptions } from "./describe.ts";
import { dropout } from "./functional.ts";
import { normal_, xavierUniform_ } from "./init.ts";
import { Linear } from "./linear.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/** Who may look where. */
export interface AttentionMask {
  /** Bool (true: may look) or numbers added to the scores, broadcast to `[n, heads, t, s]`. */
  readonly mask?: Tensor;
  /** Whether position i sees positions 0 … i only. Default false. */
  readonly isCausal?: boolean;
}

/** Options of {@link MultiheadAttention}. */
export interface MultiheadAttentionOptions {
  /** Probability that an attention weight is dropped in training, 0 to 1. Default 0. */
  readonly dropout?: number;
  /** Whether the projections have biases. Default true. */
  readonly bias?: boolean;
}

/**
 * Attention in several subspaces at once.
 *
 * Shapes: query `[n, t, size]`, key and value `[n, s, size]` → `[n, t, size]`.
 *
 * @throws {@link ArgumentError} when the heads do not divide the size.
 * @see Vaswani et al. 2017, section 3.2, https://arxiv.org/abs/1706.03762. PyTorch: `nn.MultiheadAttention` with
 * `batch_first`; the state-dict keys are its own. Differs: gives the result only, not the weights.
 * @example
 * const x = randn([2, 5, 8]);
 * new nn.MultiheadAttention(8, 2).forward(x, x, x).shape; // => [2, 5, 8]
 */
export class MultiheadAttention extends Module<readonly [Tensor, Tensor, Tensor, AttentionMask?]> {
  readonly size: number;
  readonly heads: number;
  readonly dropout: number;
  inProjWeight: Parameter;
  inProjBias: Parameter | undefined;
  readonly outProj: Linear;

  constructor(size: number, heads: number, { dropout: p = 0, bias = true }: MultiheadAttentionOptions = {}) {
    super();
    this.size = checkSize("MultiheadAttention", "size", size);
    this.heads = checkSize("MultiheadAttention", "heads", heads);
    if (size % heads !== 0)
      throw new ArgumentError("MultiheadAttention", `${heads} heads do not divide the size ${size}.`);
    this.dropout = checkProbability("MultiheadAttention", "dropout", p);
    this.inProjWeight = new Parameter(xavierUniform_(empty([3 * size, size])));
    this.inProjBias = bias ? new Parameter(zeros([3 * size])) : undefined;
    this.outProj = new Linear(size, size, { bias });
    this.outProj.bias?.detach().zero_();
  }

  forward(query: Tensor, key: Tensor, value: Tensor, mask: AttentionMask = {}): Tensor {
    if (key.shape[0] !== query.shape[0] || value.shape[0] !== query.shape[0]) {
      throw new ShapeError(
        "MultiheadAttention",
        `query [${query.shape}], key [${key.shape}] and value [${value.shape}] differ in samples.`,
      );
    }
    const parts = [query, key, value].map((x, i) => {
      if (x.rank !== 3 || x.shape[2] !== this.size) {
        throw new ShapeError("MultiheadAttention", `input [${x.shape}] must be [n, length, ${this.size}].`);
      }
      const rows = [i * this.size, (i + 1) * this.size] as const;
      const projected = linear(x, this.inProjWeight.slice(0, ...rows), this.inProjBias?.slice(0, ...rows));
      return projected.reshape([x.shape[0], x.shape[1], this.heads, -1]).transpose(1, 2); // [n, l, h·e] → [n, h, l, e]
    });
    const [q, k, v] = parts;
    const onWeights = (weights: Tensor): Tensor => dropout(weights, { p: this.dropout, training: this.training });
    const result = scaledDotProductAttention(q, k, v, { ...mask, onWeights });
    return this.outProj.forward(result.transpose(1, 2).reshape([query.shape[0], query.shape[1], this.size]));
  }

  override describe(): string {
    return `${this.size}, ${describeOptions({ heads: this.heads, dropout: this.dropout })}`;
  }
}

/**
 * Self-attention over the pixels of an image, added to it.
 *
 * Shapes: `[n, c, h, w]` → the same.
 *
 * @see miniai: `SelfAttention2D`.
 */
export class SelfAttention2d extends Module {
  readonly attention: MultiheadAttention;

  /** @param heads - Must divide the channels. Default 1. */
  constructor(channels: number, heads = 1) {
    super();
    this.attention = new MultiheadAttention(channels, heads);
  }

  forward(x: Tensor): Tensor {
    checkChannelsOf("SelfAttention2d", x.shape, [4], this.attention.size);
    const pixels = x.flatten(2).transpose(1, 2); // [n, c, h, w] → [n, h·w, c]
    const seen = this.attention.forward(pixels, pixels, pixels);
    return x.add(seen.transpose(1, 2).reshape(x.shape));
  }
}

/**
 * Sines and cosines of a position in geometrically falling frequencies.
 *
 * Shapes: positions `[n]` → `[n, size]`.
 *
 * @param maxPeriod - The longest wave, in positions. Default 10,000.
 * @see Vaswani et al. 2017, section 3.5, https://arxiv.org/abs/1706.03762. Differs: all sines come first.
 * @example
 * nn.sinusoidalEmbedding(tensor([0]), 4).toArray(); // => [[0, 0, 1, 1]]
 */
export function sinusoidalEmbedding(positions: Tensor, size: number, maxPeriod = 10_000): Tensor {
  checkSize("sinusoidalEmbedding", "size", size);
  if (positions.rank !== 1)
    throw new ShapeError("sinusoidalEmbedding", `positions [${positions.shape}] must have one axis.`);
  if (size % 2 !== 0) throw new ArgumentError("sinusoidalEmbedding", `the size must be even, got ${size}.`);
  const exponents = arange(size / 2, { dtype: "float32", device: positions.device }).mul(
    -Math.log(maxPeriod) / (size / 2),
  );
  const angles = positions.to("float32").unsqueeze(1).mul(exponents.exp());
  return cat([angles.sin(), angles.cos()], 1);
}

/**
 * Adds a learned vector per position.
 *
 * Shapes: `[n, length, size]` → the same; length at most `maxLength`.
 */
export class PositionalEmbedding extends Module {
  weight: Parameter;

  constructor(maxLength: number, size: number) {
    super();
    checkSize("PositionalEmbedding", "maxLength", maxLength);
    checkSize("PositionalEmbedding", "size", size);
    this.weight = new Parameter(normal_(empty([maxLength, size]), 0, 0.02));
  }

  forward(x: Tensor): Tensor {
    const [maxLength, size] = this.weight.shape;
    if (x.rank !== 3 || x.shape[1] > maxLength || x.shape[2] !== size) {
      throw new ShapeError("PositionalEmbedding", `input [${x.shape}] must be [n, at most ${maxLength}, ${size}].`);
    }
    return x.add(this.weight.slice(0, 0, x.shape[1]));
  }
}

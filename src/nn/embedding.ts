import { ArgumentError } from "../backend/errors.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import { empty, type TensorOptions } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkSize } from "./arguments.ts";
import { embedding } from "./functional.ts";
import { normal_ } from "./init.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/** Options of {@link Embedding}. */
export interface EmbeddingOptions extends Pick<TensorOptions, "device" | "dtype"> {
  /** A row that starts at 0 and gets no gradient. Default none. */
  readonly paddingIndex?: number;
}

/**
 * A table of vectors looked up by number.
 *
 * Shapes: indices `[…]` int32 → `[…, size]`; weight `[count, size]`, starting normal.
 *
 * @throws {@link IndexError} for an index outside `0 … count − 1`.
 * @see PyTorch: `nn.Embedding`.
 * @example
 * new nn.Embedding(10, 3).forward(tensor([[1, 2]], { dtype: "int32" })).shape; // => [1, 2, 3]
 */
export class Embedding extends Module {
  readonly paddingIndex: number | undefined;
  weight: Parameter;

  constructor(count: number, size: number, { paddingIndex, ...options }: EmbeddingOptions = {}) {
    super();
    checkSize("Embedding", "count", count);
    checkSize("Embedding", "size", size, 0);
    if (paddingIndex !== undefined && !(Number.isInteger(paddingIndex) && paddingIndex >= 0 && paddingIndex < count)) {
      throw new ArgumentError(
        "Embedding",
        `paddingIndex ${paddingIndex} is out of range for ${count} rows (0 to ${count - 1}).`,
      );
    }
    this.paddingIndex = paddingIndex;
    this.weight = new Parameter(normal_(empty([count, size], options)));
    if (paddingIndex !== undefined) noGrad(() => this.weight.select(0, paddingIndex).zero_());
  }

  forward(indices: Tensor): Tensor {
    return embedding(indices, this.weight, this.paddingIndex === undefined ? {} : { paddingIndex: this.paddingIndex });
  }

  override describe(): string {
    const padding = this.paddingIndex === undefined ? "" : `, paddingIndex=${this.paddingIndex}`;
    return `${this.weight.shape.join(", ")}${padding}`;
  }
}

import { backendByName } from "../backend/choose.ts";
import { bytesPerElement, type DType, type TypedArray } from "../backend/dtype.ts";
import { GradientError, ShapeError } from "../backend/errors.ts";
import type { Shape } from "../backend/shape.ts";
import { normalizeAxis } from "../backend/shape.ts";
import type { Storage } from "../backend/storage.ts";
import { apply } from "./apply.ts";
import { type BackwardOptions, backward } from "./autograd/backward.ts";
import { isGradEnabled } from "./autograd/mode.ts";
import { MovementMethods } from "./methods/movement.ts";
import { gatherOp, indexSelect, scatterAddOp } from "./ops/indexing.ts";
import { matmul } from "./ops/matmul.ts";
import { formatTensor } from "./print.ts";
import { decode, type NestedArray, nest } from "./values.ts";

/**
 * An array of numbers of one dtype on one device, with a record of how it was computed.
 *
 * Make one with `tensor`, `zeros`, `randn` and the like. Nothing is ever freed by hand: memory goes when the tensor goes.
 *
 * @see PyTorch: `torch.Tensor`. Differs: indices and classes are int32, not int64.
 * @example
 * const x = tensor([[1, 2], [3, 4]], { requiresGrad: true });
 * x.mul(x).sum().backward();
 * x.grad?.toArray(); // => [[2, 4], [6, 8]]
 */
export class Tensor extends MovementMethods {
  _wrap(storage: Storage, shape: Shape, strides: readonly number[], offset: number, dtype: DType): Tensor {
    return new Tensor(storage, shape, strides, offset, dtype);
  }

  /** The same elements in another device's memory, as a leaf. @throws {@link GradientError} for a recorded result. */
  _toDevice(name: string): Tensor {
    const backend = backendByName(name);
    if (backend === this.storage.backend) return this;
    if (this._node !== undefined && isGradEnabled()) {
      throw new GradientError("to", `the way from "${this.device}" to "${name}" is not recorded; detach() first.`);
    }
    const dense = this.contiguous();
    const width = bytesPerElement(this.dtype);
    const byteLength = this.numel() * width;
    const storage = backend.allocate(byteLength);
    backend.write(storage, dense.storage.block.bytes(dense.offset * width, byteLength), 0);
    const moved = new Tensor(storage, dense.shape, dense.strides, 0, this.dtype);
    moved.requiresGrad = this.requiresGrad && this._node === undefined;
    return moved;
  }

  /**
   * Matrix product; vectors count as rows or columns, batch axes broadcast.
   *
   * Shapes: `[…, m, k]` · `[…, k, n]` → `[…, m, n]`.
   *
   * @throws {@link ShapeError} when the inner sizes differ.
   * @example
   * ones([2, 3]).matmul(ones([3, 4])).shape; // => [2, 4]
   */
  matmul(other: Tensor): Tensor {
    return matmul(this, other);
  }

  /**
   * `out[…, i, …] = x[…, index[…, i, …], …]`: one position along `axis` for each element of the index.
   *
   * @throws {@link IndexError} for a position outside the axis.
   */
  gather(axis: number, index: Tensor): Tensor {
    const one = normalizeAxis("gather", axis, this.rank);
    if (this.rank === 0 && index.rank === 0)
      return this.reshape([1])
        .gather(0, index.reshape([1]))
        .reshape([]);
    return apply(gatherOp, [this, index], { name: "gather", axis: one });
  }

  /** This tensor with `source` added at the positions `index` along `axis`; equal positions add up. */
  scatterAdd(axis: number, index: Tensor, source: Tensor): Tensor {
    const one = normalizeAxis("scatterAdd", axis, this.rank);
    if (this.rank === 0 && index.rank === 0 && source.rank === 0) {
      return this.reshape([1])
        .scatterAdd(0, index.reshape([1]), source.reshape([1]))
        .reshape([]);
    }
    return apply(scatterAddOp, [this, index, source], { axis: one });
  }

  /**
   * Whole slices along an axis, in the order of `index`.
   *
   * Shapes: x `[…, n, …]`, index `[m]` int32 → `[…, m, …]`.
   *
   * @throws {@link IndexError} for a position outside the axis.
   * @example
   * tensor([10, 20, 30]).indexSelect(0, tensor([2, 0], { dtype: "int32" })).toArray(); // => [30, 10]
   */
  indexSelect(axis: number, index: Tensor): Tensor {
    return indexSelect("indexSelect", this, normalizeAxis("indexSelect", axis, this.rank), index);
  }

  /**
   * Adds to `.grad` of every leaf this tensor was computed from.
   *
   * @throws {@link GradientError} when nothing was recorded, the tensor is not one number and no gradient is given,
   * a saved value was changed in place, or the graph was already used up.
   * @see PyTorch: `Tensor.backward`.
   */
  backward(options: BackwardOptions = {}): void {
    backward(this, options);
  }

  /**
   * The one number of a tensor of one element.
   *
   * @throws {@link ShapeError} for more or fewer elements.
   */
  item(): number {
    if (this.numel() !== 1) {
      throw new ShapeError("item", `the tensor [${this.shape}] has ${this.numel()} elements, not one; use toArray().`);
    }
    return decode(this.dtype, this.storage.elements(this.dtype)[this.offset]);
  }

  /** The elements as nested arrays; a single number as itself. Bools come as true and false. */
  toArray(): NestedArray {
    return nest(this.toTypedArray(), this.shape, this.dtype);
  }

  /** A copy of the elements in row-major order; 16-bit floats are widened to float32. */
  toTypedArray(): Exclude<TypedArray, Uint16Array> {
    const raw = this._rawElements();
    if (raw instanceof Uint16Array) return Float32Array.from(raw, (bits) => decode(this.dtype, bits));
    return raw;
  }

  /** As {@link toTypedArray}, on every device. */
  async data(): Promise<Exclude<TypedArray, Uint16Array>> {
    return this.toTypedArray();
  }

  /** Reads like PyTorch's: four decimals, long axes cut in the middle. */
  override toString(): string {
    return formatTensor(this);
  }

  /** What `console.log` prints in Node. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return formatTensor(this);
  }
}

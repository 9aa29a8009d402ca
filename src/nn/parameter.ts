import { Tensor } from "../tensor/tensor.ts";

/**
 * A tensor that is trained: modules find it among their properties, optimizers change it in place.
 *
 * @see PyTorch: `nn.Parameter`.
 * @example
 * new Parameter(zeros([3])).requiresGrad; // => true
 */
export class Parameter extends Tensor {
  constructor(data: Tensor, { requiresGrad = true }: { requiresGrad?: boolean } = {}) {
    super(data.storage, data.shape, data.strides, data.offset, data.dtype);
    this.requiresGrad = requiresGrad;
  }
}

/**
 * A tensor that belongs to a module's state but is not trained, such as a running mean.
 *
 * @see PyTorch: `nn.Buffer`.
 */
export class Buffer extends Tensor {
  constructor(data: Tensor) {
    super(data.storage, data.shape, data.strides, data.offset, data.dtype);
  }
}

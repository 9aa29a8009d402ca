import { TensorBase } from "../base.ts";
import { requireReadable, type TensorLike } from "../ops/elementwise.ts";
import { scalars } from "../ops/scalars.ts";
import type { Tensor } from "../tensor.ts";
import { checkFits } from "../values.ts";

/**
 * Methods that write over the tensor they are called on. They are not recorded: use them under noGrad, or on tensors
 * without gradients; anything else is refused.
 */
export abstract class InPlaceMethods extends TensorBase {
  /** Adds other in place. Unrecorded: use it under noGrad, or on tensors without gradients. */
  add_(this: Tensor, other: TensorLike): Tensor {
    return scalars.add.callInPlace(this, other);
  }

  /** Subtracts other in place. Unrecorded: use it under noGrad, or on tensors without gradients. */
  sub_(this: Tensor, other: TensorLike): Tensor {
    return scalars.sub.callInPlace(this, other);
  }

  /** Multiplies by other in place. Unrecorded: use it under noGrad, or on tensors without gradients. */
  mul_(this: Tensor, other: TensorLike): Tensor {
    return scalars.mul.callInPlace(this, other);
  }

  /** Divides by other in place. Unrecorded: use it under noGrad, or on tensors without gradients. */
  div_(this: Tensor, other: TensorLike): Tensor {
    return scalars.div.callInPlace(this, other);
  }

  /** Writes one value everywhere, in place. */
  fill_(this: Tensor, value: number): Tensor {
    this._checkInPlace("fill");
    checkFits("fill_", this.dtype, value);
    this._fill(value);
    this.storage.version++;
    return this;
  }

  /** Writes zeros everywhere, in place. */
  zero_(this: Tensor): Tensor {
    return this.fill_(0);
  }

  /** Writes `source`, broadcast and converted, over this tensor. */
  copy_(this: Tensor, source: TensorLike): Tensor {
    if (typeof source === "number") return this.fill_(source);
    this._checkInPlace("copy");
    const here = source.to(this.device);
    requireReadable("copy_", this, [here]);
    const same = here.storage === this.storage ? here.clone() : here;
    this._write(same.expand(this.shape));
    this.storage.version++;
    return this;
  }
}

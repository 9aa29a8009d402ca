import { isFloatingPoint } from "../../backend/dtype.ts";
import { ArgumentError, DTypeError } from "../../backend/errors.ts";
import { requireBool, type TensorLike } from "../ops/elementwise.ts";
import { scalars } from "../ops/scalars.ts";
import type { Tensor } from "../tensor.ts";
import { InPlaceMethods } from "./inPlace.ts";

/**
 * Elementwise methods: shapes broadcast, numbers keep the tensor's dtype, and the memory format is kept.
 * The expressions are in `ops/scalars.ts`.
 */
export abstract class ElementwiseMethods extends InPlaceMethods {
  /** −x. @throws {@link DTypeError} for bools. */
  neg(this: Tensor): Tensor {
    if (this.dtype === "bool") throw new DTypeError("neg", "bool has no negative; use logicalNot().");
    return scalars.neg.call(this);
  }

  /** |x|; gradient 0 at 0. */
  abs(this: Tensor): Tensor {
    return scalars.abs.call(this);
  }

  /** −1, 0 or 1. */
  sign(this: Tensor): Tensor {
    return scalars.sign.call(this);
  }

  /** The largest whole number not above x. */
  floor(this: Tensor): Tensor {
    return scalars.floor.call(this);
  }

  /** The smallest whole number not below x. */
  ceil(this: Tensor): Tensor {
    return scalars.ceil.call(this);
  }

  /** The nearest whole number, halves to even. */
  round(this: Tensor): Tensor {
    return scalars.round.call(this);
  }

  /** x without its fraction. */
  trunc(this: Tensor): Tensor {
    return scalars.trunc.call(this);
  }

  /** x². */
  square(this: Tensor): Tensor {
    return scalars.square.call(this);
  }

  /** eˣ. */
  exp(this: Tensor): Tensor {
    return scalars.exp.call(this);
  }

  /** eˣ − 1, exact near 0. */
  expm1(this: Tensor): Tensor {
    return scalars.expm1.call(this);
  }

  /** Natural logarithm. */
  log(this: Tensor): Tensor {
    return scalars.log.call(this);
  }

  /** log(1 + x), exact near 0. */
  log1p(this: Tensor): Tensor {
    return scalars.log1p.call(this);
  }

  /** Logarithm to base 2. */
  log2(this: Tensor): Tensor {
    return scalars.log2.call(this);
  }

  /** Logarithm to base 10. */
  log10(this: Tensor): Tensor {
    return scalars.log10.call(this);
  }

  /** √x. */
  sqrt(this: Tensor): Tensor {
    return scalars.sqrt.call(this);
  }

  /** 1/√x. */
  rsqrt(this: Tensor): Tensor {
    return scalars.rsqrt.call(this);
  }

  /** 1/x. */
  reciprocal(this: Tensor): Tensor {
    return scalars.reciprocal.call(this);
  }

  /** Sine of radians. */
  sin(this: Tensor): Tensor {
    return scalars.sin.call(this);
  }

  /** Cosine of radians. */
  cos(this: Tensor): Tensor {
    return scalars.cos.call(this);
  }

  /** Tangent of radians. */
  tan(this: Tensor): Tensor {
    return scalars.tan.call(this);
  }

  /** Hyperbolic tangent. */
  tanh(this: Tensor): Tensor {
    return scalars.tanh.call(this);
  }

  /** 1/(1 + e⁻ˣ), without overflow. */
  sigmoid(this: Tensor): Tensor {
    return scalars.sigmoid.call(this);
  }

  /** The error function. */
  erf(this: Tensor): Tensor {
    return scalars.erf.call(this);
  }

  /** max(x, 0); gradient 0 at 0. */
  relu(this: Tensor): Tensor {
    return scalars.relu.call(this);
  }

  /**
   * x·Φ(x), exact (by erf).
   *
   * @see Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415
   */
  gelu(this: Tensor): Tensor {
    return scalars.gelu.call(this);
  }

  /**
   * x·sigmoid(x), also called swish.
   *
   * @see Elfwing et al. 2017, https://arxiv.org/abs/1702.03118
   */
  silu(this: Tensor): Tensor {
    return scalars.silu.call(this);
  }

  /**
   * x·tanh(softplus(x)).
   *
   * @see Misra 2019, https://arxiv.org/abs/1908.08681
   */
  mish(this: Tensor): Tensor {
    return scalars.mish.call(this);
  }

  /** log(sigmoid(x)), without overflow. */
  logSigmoid(this: Tensor): Tensor {
    return scalars.logSigmoid.call(this);
  }

  /** Where x is 0. */
  logicalNot(this: Tensor): Tensor {
    return scalars.logicalNot.call(this);
  }

  /** Where x is not a number. */
  isNan(this: Tensor): Tensor {
    return scalars.isNan.call(this);
  }

  /** Where x is neither infinite nor NaN. */
  isFinite(this: Tensor): Tensor {
    return scalars.isFinite.call(this);
  }

  /** Where x is infinite. */
  isInf(this: Tensor): Tensor {
    return scalars.isInf.call(this);
  }

  /** x + other. */
  add(this: Tensor, other: TensorLike): Tensor {
    return scalars.add.call(this, other);
  }

  /** x − other. @throws {@link DTypeError} for two bools. */
  sub(this: Tensor, other: TensorLike): Tensor {
    if (this.dtype === "bool" && typeof other !== "number" && other.dtype === "bool") {
      throw new DTypeError("sub", "bool − bool is no bool; use logicalXor(), or convert with .to(dtype).");
    }
    return scalars.sub.call(this, other);
  }

  /** x · other, element by element. */
  mul(this: Tensor, other: TensorLike): Tensor {
    return scalars.mul.call(this, other);
  }

  /** x / other; integers give float32. */
  div(this: Tensor, other: TensorLike): Tensor {
    return scalars.div.call(this, other);
  }

  /** x to the power of other. @throws {@link ArgumentError} for integers to a negative whole number. */
  pow(this: Tensor, other: TensorLike): Tensor {
    if (typeof other === "number" && other < 0 && Number.isInteger(other) && !isFloatingPoint(this.dtype)) {
      throw new ArgumentError(
        "pow",
        `${this.dtype} to the power of ${other} is not whole. Convert with .to("float32").`,
      );
    }
    return scalars.pow.call(this, other);
  }

  /** The rest of x / other, with the sign of other, as Python's %; of integers by a tensor's zeros, 0. */
  remainder(this: Tensor, other: TensorLike): Tensor {
    refuseZero("remainder", this, other);
    return scalars.remainder.call(this, other);
  }

  /** ⌊x / other⌋, exactly rounded down; NaN for an infinite divisor; of integers by a tensor's zeros, 0. No gradient. */
  floorDivide(this: Tensor, other: TensorLike): Tensor {
    refuseZero("floorDivide", this, other);
    return scalars.floorDivide.call(this, other);
  }

  /** The larger of x and other; equal ones share the gradient. */
  maximum(this: Tensor, other: TensorLike): Tensor {
    return scalars.maximum.call(this, other);
  }

  /** The smaller of x and other; equal ones share the gradient. */
  minimum(this: Tensor, other: TensorLike): Tensor {
    return scalars.minimum.call(this, other);
  }

  /** The angle of the point (other, x), in radians. */
  atan2(this: Tensor, other: TensorLike): Tensor {
    return scalars.atan2.call(this, other);
  }

  /** Where x equals other. */
  eq(this: Tensor, other: TensorLike): Tensor {
    return scalars.eq.call(this, other);
  }

  /** Where x differs from other. */
  ne(this: Tensor, other: TensorLike): Tensor {
    return scalars.ne.call(this, other);
  }

  /** Where x < other. */
  lt(this: Tensor, other: TensorLike): Tensor {
    return scalars.lt.call(this, other);
  }

  /** Where x ≤ other. */
  le(this: Tensor, other: TensorLike): Tensor {
    return scalars.le.call(this, other);
  }

  /** Where x > other. */
  gt(this: Tensor, other: TensorLike): Tensor {
    return scalars.gt.call(this, other);
  }

  /** Where x ≥ other. */
  ge(this: Tensor, other: TensorLike): Tensor {
    return scalars.ge.call(this, other);
  }

  /** Where neither is 0. */
  logicalAnd(this: Tensor, other: TensorLike): Tensor {
    return scalars.logicalAnd.call(this, other);
  }

  /** Where at least one is not 0. */
  logicalOr(this: Tensor, other: TensorLike): Tensor {
    return scalars.logicalOr.call(this, other);
  }

  /** Where exactly one is not 0. */
  logicalXor(this: Tensor, other: TensorLike): Tensor {
    return scalars.logicalXor.call(this, other);
  }

  /**
   * x where positive, `slope`·x elsewhere.
   *
   * @param slope - Default 0.01.
   */
  leakyRelu(this: Tensor, slope = 0.01): Tensor {
    return scalars.leakyRelu.call(this, slope);
  }

  /**
   * x where positive, `alpha`·(eˣ − 1) elsewhere.
   *
   * @param alpha - Default 1.
   */
  elu(this: Tensor, alpha = 1): Tensor {
    return scalars.elu.call(this, alpha);
  }

  /**
   * log(1 + e^(`beta`·x)) / `beta`, without overflow.
   *
   * @param beta - Sharpness of the bend. Default 1.
   */
  softplus(this: Tensor, beta = 1): Tensor {
    return scalars.softplus.call(this, beta);
  }

  /**
   * x limited to `min … max`; the gradient passes where x is inside, ends included.
   *
   * @throws {@link ArgumentError} when neither end is given.
   * @example
   * tensor([-2, 0.5, 3]).clamp({ min: 0, max: 1 }).toArray(); // => [0, 0.5, 1]
   */
  clamp(this: Tensor, { min, max }: { min?: TensorLike; max?: TensorLike }): Tensor {
    if (min === undefined && max === undefined) throw new ArgumentError("clamp", "give min, max or both.");
    if (!isFloatingPoint(this.dtype)) {
      const raised = min === undefined ? this : this.maximum(min);
      return max === undefined ? raised : raised.minimum(max);
    }
    return scalars.clamp.call(this, min ?? Number.NEGATIVE_INFINITY, max ?? Number.POSITIVE_INFINITY);
  }

  /** x + t·(end − x): from x at t = 0 to `end` at t = 1. */
  lerp(this: Tensor, end: TensorLike, t: TensorLike): Tensor {
    return scalars.lerp.call(this, end, t);
  }

  /**
   * x where `condition` holds, `other` elsewhere.
   *
   * @example
   * tensor([1, -2]).where(tensor([true, false]), 0).toArray(); // => [1, 0]
   */
  where(this: Tensor, condition: Tensor, other: TensorLike): Tensor {
    requireBool("where", condition);
    return scalars.where.call(condition, this, other);
  }

  /**
   * `value` where `mask` holds, x elsewhere.
   *
   * @throws {@link DTypeError} when the mask is not bool, or a tensor of integers or bools cannot hold the value.
   */
  maskedFill(this: Tensor, mask: Tensor, value: number): Tensor {
    requireBool("maskedFill", mask);
    if (!isFloatingPoint(this.dtype) && !Number.isInteger(value)) {
      throw new DTypeError(
        "maskedFill",
        `a tensor of ${this.dtype} cannot hold ${value}. Convert it with .to("float32").`,
      );
    }
    return scalars.where.call(mask, value, this).to(this.dtype);
  }
}

function refuseZero(operation: string, x: Tensor, divisor: TensorLike): void {
  if (divisor === 0 && !isFloatingPoint(x.dtype)) {
    throw new ArgumentError(operation, `${x.dtype} cannot be divided by 0. Convert with .to("float32").`);
  }
}

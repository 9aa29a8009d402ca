import { apply } from "../../tensor/apply.ts";
import { noGrad } from "../../tensor/autograd/mode.ts";
import { varianceOp } from "../../tensor/ops/reduce.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** Mean and standard deviation of a tensor's elements. */
export interface Moments {
  readonly mean: number;
  /** As of a whole population: nothing is taken from the count. NaN of no elements. */
  readonly std: number;
}

/** Mean and standard deviation of all elements, in two fused passes over memory. */
export function moments(x: Tensor): Moments {
  const count = x.numel();
  if (count === 0) return { mean: Number.NaN, std: Number.NaN };
  return noGrad(() => {
    const axes = x.shape.map((_, axis) => axis);
    const mean = x.mean(axes, { keepDims: true });
    const variance = apply(varianceOp, [x, mean], { axes, keepDims: false, numbers: [1 / count] });
    return { mean: mean.item(), std: Math.sqrt(variance.item()) };
  });
}

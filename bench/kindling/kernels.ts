/** Single operations: a matrix product, a fused elementwise function, an optimizer step. */
import { elementwise, expr, noGrad, optim, randn, type Tensor } from "kindling";
import type { AdamWork, ElementwiseWork, GemmWork } from "../workloads.ts";
import { type Prepared, repeated } from "./prepared.ts";

export function prepareGemm({ size }: GemmWork): Prepared {
  const a = randn([size, size]);
  const b = randn([size, size]);
  return repeated(() => {
    a.matmul(b);
  });
}

export function prepareElementwise({ size, a, b }: ElementwiseWork): Prepared {
  const x = randn([size], { requiresGrad: true });
  // One expression, fused forward and backward: how kindling wants such chains written. PyTorch runs its three operations.
  const { add, erf, mul } = expr;
  const scaledGelu = elementwise("scaledGelu", 3, (v, scale, shift) => {
    const u = add(mul(v, scale), shift);
    return mul(mul(0.5, u), add(1, erf(mul(u, Math.SQRT1_2))));
  });
  return repeated(() => {
    x.grad = undefined;
    scaledGelu(x, a, b).sum().backward();
  });
}

export function prepareAdam({ shapes, lr }: AdamWork): Prepared {
  const parameters = shapes.map((shape) => parameterWithGradient(shape));
  const optimizer = optim.adam(parameters, { lr });
  const count = parameters.reduce((sum, p) => sum + p.numel(), 0);
  return repeated(() => optimizer.step(), count);
}

function parameterWithGradient(shape: readonly number[]): Tensor {
  const parameter = noGrad(() => randn(shape).mul(0.01)).detach();
  parameter.requiresGrad = true;
  parameter.grad = noGrad(() => randn(shape).mul(0.01));
  return parameter;
}

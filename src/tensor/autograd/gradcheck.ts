import { GradientError } from "../../backend/errors.ts";
import type { Tensor } from "../tensor.ts";
import { enableGrad, noGrad } from "./mode.ts";

/** How close derived and measured gradients must be: |a − n| ≤ atol + rtol·|n|. */
export interface GradcheckOptions {
  /** Half the step between the two measurements. Default 1e-6. */
  readonly eps?: number;
  /** Default 1e-3. */
  readonly rtol?: number;
  /** Default 1e-5. */
  readonly atol?: number;
}

/** A function of tensors whose gradients are to be checked. */
export type Differentiable = (...inputs: readonly Tensor[]) => Tensor | readonly Tensor[];

/**
 * Compares the gradients of `fn` with finite differences, element by element, and throws at the first input that differs.
 *
 * Only inputs that require a gradient are checked; they should be leaves of dtype float64 (on the `js` device), where the
 * differences are good to about 1e-9. `fn` must give the same result for the same inputs.
 *
 * @throws {@link GradientError} naming the input, the element and both values.
 * @see PyTorch: `torch.autograd.gradcheck`. Differs: compares one weighted sum of the outputs, not the whole Jacobian.
 * @example
 * const x = tensor([1, 2], { dtype: "float64", device: "js", requiresGrad: true });
 * gradcheck((a) => a.mul(a).sum(), [x]); // => true
 */
export function gradcheck(fn: Differentiable, inputs: readonly Tensor[], options: GradcheckOptions = {}): true {
  const { eps = 1e-6, rtol = 1e-3, atol = 1e-5 } = options;
  const derived = enableGrad(() => gradients(fn, inputs, false));
  inputs.forEach((input, i) => {
    if (!input.requiresGrad) return;
    const values = derived[i]?.toTypedArray() ?? new Float64Array(input.numel());
    const measured = differences(fn, inputs, i, eps);
    measured.forEach((n, k) => {
      const a = values[k];
      if (Math.abs(a - n) <= atol + rtol * Math.abs(n)) return;
      throw new GradientError(
        "gradcheck",
        `the gradient of input ${i} [${input.shape}] at element ${k} is ${a}, finite differences say ${n}.`,
      );
    });
  });
  return true;
}

/**
 * Compares the gradients of the gradients of `fn` with finite differences.
 *
 * @throws {@link GradientError} as {@link gradcheck}, or where a gradient cannot be differentiated itself.
 * @see PyTorch: `torch.autograd.gradgradcheck`.
 * @example
 * const x = tensor([1, 2], { dtype: "float64", device: "js", requiresGrad: true });
 * gradgradcheck((a) => a.pow(3), [x]); // => true
 */
export function gradgradcheck(fn: Differentiable, inputs: readonly Tensor[], options: GradcheckOptions = {}): true {
  const first: Differentiable = (...xs) =>
    enableGrad(() => {
      const found = gradients(fn, xs, true);
      return found.filter((g) => g !== undefined);
    });
  return gradcheck(first, inputs, options);
}

/** Gradients of the weighted sum of fn's outputs; the inputs' own `.grad` stays as it was. */
function gradients(fn: Differentiable, inputs: readonly Tensor[], createGraph: boolean): (Tensor | undefined)[] {
  const before = inputs.map((x) => x.grad);
  for (const x of inputs) x.grad = undefined;
  try {
    const total = weighted(fn(...inputs));
    if (total?.requiresGrad) total.backward({ createGraph });
    return inputs.map((x) => x.grad);
  } finally {
    inputs.forEach((x, i) => {
      x.grad = before[i];
    });
  }
}

/** One number from all floating-point outputs, with weights that no symmetry cancels. */
function weighted(outputs: Tensor | readonly Tensor[]): Tensor | undefined {
  const list = "length" in outputs ? outputs : [outputs];
  return list
    .filter((y) => y.requiresGrad || y.dtype === "float64" || y.dtype === "float32")
    .map((y, k) => y.mul(weightsLike(y, k)).sum())
    .reduce<Tensor | undefined>((a, b) => a?.add(b) ?? b, undefined);
}

function weightsLike(y: Tensor, k: number): Tensor {
  const weights = y._empty(y.shape, y.dtype);
  const elements = weights.storage.elements(y.dtype);
  for (let i = 0; i < y.numel(); i++) elements[i] = Math.cos(3 * i + k + 1);
  return weights.detach();
}

function differences(fn: Differentiable, inputs: readonly Tensor[], i: number, eps: number): Float64Array {
  const x = inputs[i];
  const base = Float64Array.from(x.toTypedArray());
  const valueAt = (k: number, value: number): number => {
    const moved = base.slice();
    moved[k] = value;
    const copy = withElements(x, moved);
    // Recording stays on: fn may go backward itself.
    return weighted(fn(...inputs.map((y, j) => (j === i ? copy : y))))?.item() ?? 0;
  };
  return base.map((value, k) => (valueAt(k, value + eps) - valueAt(k, value - eps)) / (2 * eps));
}

/** A leaf like x with other elements. */
function withElements(x: Tensor, values: Float64Array): Tensor {
  const copy = noGrad(() => x._empty(x.shape, x.dtype));
  copy.storage.elements(x.dtype).set(values);
  copy.requiresGrad = true;
  return copy;
}

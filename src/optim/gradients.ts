import { ArgumentError } from "../backend/errors.ts";
import { call, input, Kernel, scalar } from "../backend/expr.ts";
import { empty } from "../tensor/create.ts";
import type { Tensor } from "../tensor/tensor.ts";

const square = new Kernel([call("mul", input(0), input(0))], 1);
const absolute = new Kernel([call("abs", input(0))], 1);
const powered = new Kernel([call("pow", call("abs", input(0)), scalar(0))], 1, 1);
const scaled = new Kernel([call("mul", input(0), scalar(0))], 1, 1);
// NaN stays: both max and min keep it.
const clamped = new Kernel([call("max", call("min", input(0), scalar(0)), call("neg", scalar(0)))], 1, 1);

/** Options of {@link clipGradNorm}. */
export interface ClipGradNormOptions {
  /** Order of the norm: above 0, or Infinity for the largest absolute value. Default 2. */
  readonly normType?: number;
  /** Refuse a norm that is not finite instead of scaling by it. Default false. */
  readonly errorIfNonfinite?: boolean;
}

/**
 * Scales gradients in place so that the norm of all of them together is at most `maxNorm`.
 *
 * One call of the backend per gradient for the norm, one for scaling all. Parameters without a gradient do not count.
 *
 * @returns the norm before scaling.
 * @throws {@link ArgumentError} for a `maxNorm` below 0 or NaN, and for a norm that is not finite where asked to.
 * @see Pascanu et al. 2013, https://arxiv.org/abs/1211.5063; PyTorch: `clip_grad_norm_`.
 * @example
 * const w = tensor([3, 4], { requiresGrad: true });
 * w.mul(w).sum().backward();
 * optim.clipGradNorm([w], 5); // => 10
 * w.grad?.norm().item().toFixed(3); // => "5.000"
 */
export function clipGradNorm(params: Iterable<Tensor>, maxNorm: number, options: ClipGradNormOptions = {}): number {
  if (!(maxNorm >= 0)) throw new ArgumentError("clipGradNorm", `maxNorm must be a number from 0, got ${maxNorm}.`);
  const gradients = gradientsOf(params);
  const norm = totalNorm(gradients, options.normType ?? 2);
  if (options.errorIfNonfinite === true && !Number.isFinite(norm)) {
    throw new ArgumentError("clipGradNorm", `the norm of the gradients is ${norm}; they are not changed.`);
  }
  const factor = maxNorm / (norm + 1e-6);
  if (!(factor >= 1)) change(scaled, gradients, factor);
  return norm;
}

/**
 * Clamps every element of the gradients in place to −limit … limit.
 *
 * @throws {@link ArgumentError} for a limit below 0 or NaN.
 * @see PyTorch: `clip_grad_value_`.
 * @example
 * const w = tensor([1, -3], { requiresGrad: true });
 * w.mul(w).sum().backward();
 * optim.clipGradValue([w], 2.5);
 * w.grad?.toArray(); // => [2, -2.5]
 */
export function clipGradValue(params: Iterable<Tensor>, limit: number): void {
  if (!(limit >= 0)) throw new ArgumentError("clipGradValue", `the limit must be a number from 0, got ${limit}.`);
  change(clamped, gradientsOf(params), limit);
}

/**
 * Multiplies all gradients by one number in place, in one call of the backend.
 *
 * @example
 * const w = tensor([1, -3], { requiresGrad: true });
 * w.mul(w).sum().backward();
 * optim.scaleGrads([w], 0.5);
 * w.grad?.toArray(); // => [1, -3]
 */
export function scaleGrads(params: Iterable<Tensor>, factor: number): void {
  change(scaled, gradientsOf(params), factor);
}

function gradientsOf(params: Iterable<Tensor>): Tensor[] {
  const gradients: Tensor[] = [];
  for (const { grad } of params) if (grad !== undefined) gradients.push(grad);
  return gradients;
}

/** Each gradient's part is reduced into a slot of one small tensor, which is read once. */
function totalNorm(gradients: readonly Tensor[], order: number): number {
  if (!(order > 0)) throw new ArgumentError("clipGradNorm", `normType must be above 0, got ${order}.`);
  if (gradients.length === 0) return 0;
  const isLargest = order === Number.POSITIVE_INFINITY;
  const kernel = isLargest ? absolute : order === 2 ? square : powered;
  const numbers = kernel === powered ? [order] : [];
  const slots = empty([gradients.length], { device: gradients[0].device });
  gradients.forEach((gradient, i) => {
    const { shape, storage } = gradient;
    const ones = shape.map(() => 1);
    const slot = slots._wrap(slots.storage, ones, ones, i, slots.dtype);
    storage.backend.reduce(isLargest ? "max" : "sum", kernel, [gradient], shape, slot, numbers);
  });
  const parts = Array.from(slots.toTypedArray());
  if (isLargest) return parts.reduce((largest, part) => Math.max(part, largest), 0);
  const sum = parts.reduce((total, part) => total + part, 0);
  return order === 2 ? Math.sqrt(sum) : sum ** (1 / order);
}

function change(kernel: Kernel, gradients: readonly Tensor[], number: number): void {
  if (gradients.length === 0) return;
  const views = gradients.map((gradient) => [gradient]);
  gradients[0].storage.backend.mapEach(kernel, views, views, [number]);
  for (const { storage } of gradients) storage.version++;
}

import type { Tensor } from "../tensor/index.ts";

/** A mean and a standard deviation; as tensors they broadcast, for instance `[c, 1, 1]` for one of each per channel. */
export interface Statistics<Value extends Tensor | number = Tensor | number> {
  readonly mean: Value;
  readonly std: Value;
}

/**
 * `(x − mean) / std`.
 *
 * @example
 * normalize(tensor([1, 3]), 2, 0.5).toArray(); // => [-2, 2]
 */
export function normalize(x: Tensor, mean: Tensor | number, std: Tensor | number): Tensor {
  return x.sub(mean).div(std);
}

/**
 * Normalises two tensors with the mean and standard deviation of the first: what a model is validated on must pass
 * through the same change as what it was trained on.
 *
 * @example
 * normalizeTo(tensor([1, 3]), tensor([2])).valid.toArray(); // => [0]
 */
export function normalizeTo(
  train: Tensor,
  valid: Tensor,
): { readonly train: Tensor; readonly valid: Tensor } & Statistics<number> {
  const mean = train.mean().item();
  const std = train.std().item();
  return { train: normalize(train, mean, std), valid: normalize(valid, mean, std), mean, std };
}

/**
 * One function that does what several do, the first one first.
 *
 * @example
 * compose((x: number) => x + 1, (x: number) => x * 10)(1); // => 20
 */
export function compose<T>(...transforms: readonly ((value: T) => T)[]): (value: T) => T {
  return (value) => transforms.reduce((result, transform) => transform(result), value);
}

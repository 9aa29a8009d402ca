import { ArgumentError, ShapeError } from "../backend/errors.ts";
import type { Shape } from "../backend/shape.ts";

/** A size that is a whole number from `least`. @throws {@link ArgumentError} */
export function checkSize(layer: string, name: string, value: number, least = 1): number {
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new ArgumentError(layer, `${name} must be a whole number from ${least}, got ${value}.`);
}

/** A probability from 0 to 1. @throws {@link ArgumentError} */
export function checkProbability(layer: string, name: string, value: number): number {
  if (value >= 0 && value <= 1) return value;
  throw new ArgumentError(layer, `${name} must lie between 0 and 1, got ${value}.`);
}

/** A finite number, not below `least`. @throws {@link ArgumentError} */
export function checkNumber(layer: string, name: string, value: number, least = Number.NEGATIVE_INFINITY): number {
  if (Number.isFinite(value) && value >= least) return value;
  const from = least === Number.NEGATIVE_INFINITY ? "" : ` from ${least}`;
  throw new ArgumentError(layer, `${name} must be a finite number${from}, got ${value}.`);
}

/** An input of one of the ranks a layer takes, with its number of channels. @throws {@link ShapeError} */
export function checkChannelsOf(layer: string, shape: Shape, ranks: readonly number[], channels: number): void {
  if (!ranks.includes(shape.length)) {
    throw new ShapeError(
      layer,
      `input [${shape}] has ${shape.length} axes; it must have ${ranks.join(" or ")}: [n, c, …].`,
    );
  }
  if (shape[1] !== channels) {
    throw new ShapeError(layer, `input [${shape}] has ${shape[1]} channels, the layer ${channels}.`);
  }
}

import { ArgumentError } from "../backend/errors.ts";

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

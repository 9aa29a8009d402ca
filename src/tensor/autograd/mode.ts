import { GradientError } from "../../backend/errors.ts";

let recording = true;

/** Whether operations are being recorded for backward. */
export function isGradEnabled(): boolean {
  return recording;
}

/**
 * Runs `fn` without recording: its results carry no gradient, and in-place changes of parameters are allowed.
 *
 * @throws {@link GradientError} when `fn` returns a promise: the mode could not be kept apart from other code.
 * @see PyTorch: `torch.no_grad`.
 * @example
 * const w = ones([2], { requiresGrad: true });
 * noGrad(() => w.mul(2)).requiresGrad; // => false
 */
export function noGrad<T>(fn: () => T): T {
  return withGradMode("noGrad", false, fn);
}

/**
 * Runs `fn` with recording on, also inside {@link noGrad}.
 *
 * @throws {@link GradientError} when `fn` returns a promise.
 * @example
 * const w = ones([2], { requiresGrad: true });
 * noGrad(() => enableGrad(() => w.mul(2))).requiresGrad; // => true
 */
export function enableGrad<T>(fn: () => T): T {
  return withGradMode("enableGrad", true, fn);
}

function withGradMode<T>(operation: string, mode: boolean, fn: () => T): T {
  const previous = recording;
  recording = mode;
  try {
    const result = fn();
    if (result instanceof Promise) {
      result.catch(() => {}); // the refusal below is the one error to report
      throw new GradientError(operation, "the function returned a promise; put only synchronous code inside.");
    }
    return result;
  } finally {
    recording = previous;
  }
}

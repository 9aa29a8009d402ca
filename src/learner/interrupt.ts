import { onInterrupt, warn } from "#platform";

/**
 * A signal for `fit` that Ctrl-C aborts: the fit ends at the next batch boundary with everything in order. A second
 * Ctrl-C ends the process as ever.
 *
 * @example
 * const signal = abortOnInterrupt();
 * signal.aborted; // => false
 */
export function abortOnInterrupt(): AbortSignal {
  const controller = new AbortController();
  onInterrupt(() => {
    warn("kindling: interrupted; ending after this batch. Press Ctrl-C again to quit at once.");
    controller.abort("interrupted");
  });
  return controller.signal;
}

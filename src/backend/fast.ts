import type { View } from "./backend.ts";

/**
 * Kernels a backend may offer because map and reduce would be slower; each is tested against the default.
 * Views may have any strides unless said otherwise.
 */
export interface FastKernels {
  /**
   * `out = a · b (+ bias)`. Shapes: a `[…batch, m, k]`, b `[…batch, k, n]`, bias `[n]` → out `[…batch, m, n]`;
   * batch axes are equal (broadcast ones have stride 0). With `accumulate`, `out += a · b`.
   */
  matmul(a: View, b: View, bias: View | undefined, out: View, accumulate: boolean): void;

  /**
   * Cross-entropy of each row. Shapes: logits `[n, c]`, targets `[n]` int32 → losses `[n]`, logSumExp `[n]`.
   * Rows whose target is `ignoreIndex` give 0.
   * @throws IndexError naming the first target outside `0 … c − 1`.
   */
  crossEntropy(logits: View, targets: View, ignoreIndex: number, losses: View, logSumExp: View): void;

  /** Its gradient: `out = (softmax(logits) − onehot(targets)) · scale[row]`. Shapes: scale `[n]` (stride 0 allowed) → out `[n, c]`. */
  crossEntropyBackward(logits: View, targets: View, logSumExp: View, ignoreIndex: number, scale: View, out: View): void;

  /** Softmax, or its logarithm, over the last axis. Shapes: x `[n, c]` contiguous → out `[n, c]`. */
  softmax(x: View, log: boolean, out: View): void;
}

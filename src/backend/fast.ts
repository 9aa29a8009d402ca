import type { View } from "./backend.ts";

/**
 * How windows move over the spatial axes of an image batch; one number for each axis. How many places they have is said
 * by the shape of what is computed, so padding behind the image follows: it may be smaller than nothing, by less than `stride`.
 */
export interface Windows {
  readonly stride: readonly number[]; // from 1
  readonly dilation: readonly number[]; // from 1: distance of neighbouring taps
  readonly before: readonly number[]; // from 0: padding in front of each axis
}

/** What a rectifying activation makes of z: `z − sub` where z is positive, `leak·z − sub` elsewhere. ReLU: both 0. */
export interface Rectifier {
  readonly leak: number;
  readonly sub: number;
}

/** Whether it is max(z, 0). */
export function isReLU({ leak, sub }: Rectifier): boolean {
  return leak === 0 && sub === 0;
}

/** Batch-norm numbers besides tensors. */
export interface ChannelNorm {
  /** Added to the variance. */
  readonly epsilon: number;
  /** What the result goes through in the same pass. */
  readonly rectifier?: Rectifier | undefined;
}

/**
 * Kernels a backend may offer because map and reduce would be slower; each is tested against the default.
 * Views may have any strides unless said otherwise.
 */
export interface FastKernels {
  /**
   * `out = a · b (+ bias)`, with `relu` cut off below 0. Shapes: a `[…batch, m, k]`, b `[…batch, k, n]`, bias `[n]` →
   * out `[…batch, m, n]`; batch axes are equal (broadcast ones have stride 0).
   */
  matmul(a: View, b: View, bias: View | undefined, relu: boolean, out: View): void;

  /**
   * Cross-entropy of each row. Shapes: logits `[n, c]`, targets `[n]` int32 → losses `[n]`, logSumExp `[n]`.
   * Rows whose target is `ignoreIndex` give 0.
   * @throws IndexError naming the first target outside `0 … c − 1`.
   */
  crossEntropy(logits: View, targets: View, ignoreIndex: number, losses: View, logSumExp: View): void;

  /**
   * Its gradient: `out = (softmax(logits) − onehot(targets)) · scale[row] · factor`, 0 in rows that do not count.
   * Shapes: scale `[n]` (stride 0 allowed) → out `[n, c]`.
   */
  crossEntropyBackward(
    logits: View,
    targets: View,
    logSumExp: View,
    ignoreIndex: number,
    scale: View,
    factor: number,
    out: View,
  ): void;

  /** Softmax, or its logarithm, over the last axis. Shapes: x `[n, c]` contiguous → out `[n, c]`. */
  softmax(x: View, log: boolean, out: View): void;

  /**
   * The memory order in which image batches `[n, c, …spatial]` come to the kernels below and leave them. Operations copy
   * what comes in another order. Absent: row-major or channels-last, as they come.
   */
  imageFormat: "channelsLast";

  /**
   * Convolution (cross-correlation) with 1 to 3 spatial axes, float32.
   * Shapes: x `[n, c, …size]`, weight `[m, c/groups, …kernel]`, bias `[m]` → out `[n, m, …places]`.
   */
  convolution(x: View, weight: View, bias: View | undefined, out: View, windows: Windows, groups: number): void;

  /** Its gradient for x. Shapes: gradient `[n, m, …places]`, weight `[m, c/groups, …kernel]` → out `[n, c, …size]`. */
  convolutionData(gradient: View, weight: View, out: View, windows: Windows, groups: number): void;

  /**
   * Its gradients for weight and bias.
   * Shapes: x `[n, c, …size]`, gradient `[n, m, …places]` → out `[m, c/groups, …kernel]` row-major, bias `[m]`.
   */
  convolutionWeight(x: View, gradient: View, out: View, bias: View | undefined, windows: Windows, groups: number): void;

  /**
   * Largest in each window, float32, and where it was: int32 positions in the row-major plane, the first of equals (NaN wins).
   * Shapes: x `[n, c, …size]` → out and indices `[n, c, …places]`, in one memory order.
   */
  maxPool(x: View, kernel: readonly number[], windows: Windows, out: View, indices: View): void;

  /** Its gradient. Shapes: gradient and indices `[n, c, …places]` → out `[n, c, …size]`. */
  maxPoolBackward(gradient: View, indices: View, kernel: readonly number[], windows: Windows, out: View): void;

  /**
   * Mean of each window, float32; `scales[axis][place]` is one divided by the number of elements counted along that axis.
   * Shapes: x `[n, c, …size]` → out `[n, c, …places]`.
   */
  averagePool(
    x: View,
    kernel: readonly number[],
    windows: Windows,
    scales: readonly (readonly number[])[],
    out: View,
  ): void;

  /** Its gradient. Shapes: gradient `[n, c, …places]` → out `[n, c, …size]`. */
  averagePoolBackward(
    gradient: View,
    kernel: readonly number[],
    windows: Windows,
    scales: readonly (readonly number[])[],
    out: View,
  ): void;

  /** Mean and variance (divided by m) of each column, float32. Shapes: x `[m, c]` contiguous → `[c]`. */
  columnMoments(x: View, mean: View, variance: View): void;

  /**
   * `out = (x − mean) · weight/√(variance + ε) + bias`, column by column, through the rectifier, float32. Shapes: x, out
   * `[m, c]` contiguous, others `[c]`.
   */
  normalizeColumns(
    x: View,
    mean: View,
    variance: View,
    weight: View | undefined,
    bias: View | undefined,
    norm: ChannelNorm,
    out: View,
  ): void;

  /**
   * Its gradients, the mean and variance being those of x. Shapes: gradient, x, out `[m, c]` contiguous, others `[c]`.
   */
  normalizeColumnsBackward(
    gradient: View,
    x: View,
    mean: View,
    variance: View,
    weight: View | undefined,
    bias: View | undefined,
    norm: ChannelNorm,
    out: View | undefined,
    weightOut: View | undefined,
    biasOut: View | undefined,
  ): void;

  /**
   * Each sample's channels in groups of neighbours, every group with its mean taken away and divided by √(variance + ε),
   * times weight, plus bias; float32. Shapes: x, out `[n, c, p]`, both row-major or both with the channels last and apart
   * from each other, weight, bias `[c]` → mean, variance `[n · groups]`.
   */
  groupNorm(
    x: View,
    weight: View | undefined,
    bias: View | undefined,
    groups: number,
    epsilon: number,
    out: View,
    mean: View,
    variance: View,
  ): void;

  /** Its gradients. Shapes: gradient, x, out `[n, c, p]` in one order, mean, variance `[n · groups]`, others `[c]`. */
  groupNormBackward(
    gradient: View,
    x: View,
    mean: View,
    variance: View,
    weight: View | undefined,
    groups: number,
    epsilon: number,
    out: View | undefined,
    weightOut: View | undefined,
    biasOut: View | undefined,
  ): void;

  /**
   * Each row with its mean taken away and divided by √(variance + ε), times weight, plus bias; float32.
   * Shapes: x, out `[m, f]` contiguous, weight, bias `[f]` → mean, variance `[m]`.
   */
  layerNorm(
    x: View,
    weight: View | undefined,
    bias: View | undefined,
    epsilon: number,
    out: View,
    mean: View,
    variance: View,
  ): void;

  /** Its gradients. Shapes: gradient, x, out `[m, f]` contiguous, mean, variance `[m]`, others `[f]`. */
  layerNormBackward(
    gradient: View,
    x: View,
    mean: View,
    variance: View,
    weight: View | undefined,
    epsilon: number,
    out: View | undefined,
    weightOut: View | undefined,
    biasOut: View | undefined,
  ): void;
}

import type { Backend, View } from "../../backend/backend.ts";
import { call, input, Kernel } from "../../backend/expr.ts";
import type { Windows } from "../../backend/fast.ts";
import type { Shape } from "../../backend/shape.ts";
import { apply, applyAll } from "../apply.ts";
import type { Tensor } from "../tensor.ts";
import { imageStrides, inImageFormat } from "./imageFormat.ts";
import type { Op } from "./op.ts";
import { paddedFor, spreadOut, windowStrides } from "./window.ts";

/** The geometry of a convolution, checked by whoever applies one of the ops below. */
export interface ConvOptions {
  readonly windows: Windows;
  readonly groups: number;
  readonly size: Shape; // of the input's spatial axes
  readonly places: Shape; // the result's spatial axes
  readonly kernel: Shape;
}

const product = new Kernel([call("mul", input(0), input(1))], 2);
const sum = new Kernel([call("add", input(0), input(1))], 2);

/**
 * Convolution. Shapes: x `[n, c, …size]`, weight `[m, c/groups, …kernel]`, bias `[m]` → `[n, m, …places]`.
 * This and the two ops below are each other's gradients, to any order.
 */
export const convOp: Op<ConvOptions> = {
  name: "conv",
  saves: "inputs",
  infer([x, w], { places }) {
    const shape = [x.shape[0], w.shape[0], ...places];
    return [{ shape, dtype: x.dtype, strides: imageStrides(x, shape) }];
  },
  forward(backend, [x, w, b], [out], options) {
    const { windows, groups, kernel, places } = options;
    if (out.numel() === 0) return;
    if (backend.fast.convolution !== undefined && x.dtype === "float32" && x.numel() > 0 && fits(options)) {
      backend.fast.convolution(x, w.contiguous(), b?.contiguous(), out, windows, groups);
      return;
    }
    const padded = paddedFor(x, kernel, places, windows, 0);
    const { places: step, taps } = windowStrides(padded, windows);
    joinTaps(backend, padded, step, taps, grouped(w, groups), out, options);
    if (padded !== x) backend.release(padded.storage);
    if (b !== undefined) backend.map(sum, [out, alongChannels(b, out.rank)], [out], []);
  },
  backward({ gradient: incoming, inputs: [x, w], options, needs }) {
    const gradient = inImageFormat(incoming);
    const weights =
      needs[1] || needs[2] ? applyAll(convWeightOp, [x, gradient], { ...options, withBias: needs[2] === true }) : [];
    return [needs[0] ? apply(convDataOp, [gradient, w], options) : undefined, ...weights];
  },
};

/** Gradient of {@link convOp} for x; with gradients as input, transposed convolution. */
export const convDataOp: Op<ConvOptions> = {
  name: "transposed conv",
  saves: "inputs",
  infer([gradient, w], { size, groups }) {
    const shape = [gradient.shape[0], w.shape[1] * groups, ...size];
    return [{ shape, dtype: gradient.dtype, strides: imageStrides(gradient, shape) }];
  },
  forward(backend, [gradient, w], [out], options) {
    const { windows, groups, kernel, size } = options;
    if (out.numel() === 0) return;
    if (
      backend.fast.convolutionData !== undefined &&
      gradient.dtype === "float32" &&
      fits(options) &&
      gradient.numel() > 0
    ) {
      backend.fast.convolutionData(gradient, w.contiguous(), out, windows, groups);
      return;
    }
    const spread = spreadOut(gradient, kernel, size, windows);
    const { places: step, taps } = windowStrides(spread, { ...windows, stride: size.map(() => 1) });
    joinTaps(backend, spread, step, taps, flipped(grouped(w, groups)), out, { groups, kernel, places: size });
    backend.release(spread.storage);
  },
  backward({ gradient: incoming, inputs: [x, w], options, needs }) {
    const gradient = inImageFormat(incoming);
    return [
      needs[0] ? apply(convOp, [gradient, w], options) : undefined,
      needs[1] ? apply(convWeightOp, [gradient, x], { ...options, withBias: false }) : undefined,
    ];
  },
};

/** Gradients of {@link convOp} for weight and bias. */
export const convWeightOp: Op<ConvOptions & { readonly withBias: boolean }> = {
  name: "conv weight",
  saves: "inputs",
  infer([x, gradient], { groups, kernel, withBias }) {
    const m = gradient.shape[1];
    const weight = { shape: [m, x.shape[1] / groups, ...kernel], dtype: x.dtype };
    return withBias ? [weight, { shape: [m], dtype: x.dtype }] : [weight];
  },
  forward(backend, [x, gradient], [out, bias], options) {
    const { windows, groups, kernel, places } = options;
    if (x.numel() === 0 || gradient.numel() === 0) {
      out._fill(0);
      bias?._fill(0);
      return;
    }
    if (backend.fast.convolutionWeight !== undefined && x.dtype === "float32" && fits(options)) {
      backend.fast.convolutionWeight(x, gradient, out, bias, windows, groups);
      return;
    }
    const padded = paddedFor(x, kernel, places, windows, 0);
    const { places: step, taps } = windowStrides(padded, windows);
    const axes = axesOf(padded, out.shape[0], options);
    const window = axes.window(step, taps);
    // [n, groups, m/groups, …places, c/groups, …kernel], joined over n and places
    const target = { ...viewOf(out), shape: axes.weightShape, strides: axes.weightStrides(grouped(out, groups)) };
    backend.reduce("sum", product, [window, axes.result(gradient)], axes.full, target, []);
    if (padded !== x) backend.release(padded.storage);
    if (bias !== undefined) bias._write(gradient.sum([...gradient.shape.keys()].filter((axis) => axis !== 1)));
  },
  backward({ gradients: [forWeight, forBias], inputs: [x, g], options, needs }) {
    const toX = needs[0] && forWeight !== undefined ? apply(convDataOp, [g, forWeight], options) : undefined;
    let toG = needs[1] && forWeight !== undefined ? apply(convOp, [x, forWeight], options) : undefined;
    if (needs[1] && forBias !== undefined) {
      const spread = alongChannelsOf(forBias, g.rank).expand(g.shape);
      toG = toG === undefined ? spread : toG.add(spread);
    }
    return [toX, toG];
  },
};

/** Weights with the groups split off: `[groups, m/groups, c/groups, …kernel]`, as a view of the same elements. */
function grouped(w: View, groups: number): View {
  const perGroup = w.shape[0] / groups;
  return {
    ...viewOf(w),
    shape: [groups, perGroup, ...w.shape.slice(1)],
    strides: [w.strides[0] * perGroup, ...w.strides],
  };
}

/** Grouped weights seen from their inputs, taps in reverse: `[groups, c/groups, m/groups, …kernel]`. */
function flipped(w: View): View {
  const [groups, m, c, ...kernel] = w.shape;
  const [groupStep, mStep, cStep, ...taps] = w.strides;
  return {
    ...w,
    shape: [groups, c, m, ...kernel],
    strides: [groupStep, cStep, mStep, ...taps.map((step) => -step)],
    offset: taps.reduce((at, step, i) => at + step * (kernel[i] - 1), w.offset),
  };
}

/** The definition: at each place, the sum over channels and taps of a window times the weights. */
function joinTaps(
  backend: Backend,
  image: View,
  step: readonly number[],
  taps: readonly number[],
  w: View,
  out: View,
  options: Pick<ConvOptions, "groups" | "kernel" | "places">,
): void {
  const axes = axesOf(image, out.shape[1], options);
  const weights = { ...w, shape: axes.weightFull, strides: axes.weightStrides(w) };
  backend.reduce("sum", product, [axes.window(step, taps), weights], axes.full, axes.result(out), []);
}

/** Views of all parties of a convolution along the axes `[n, groups, m/groups, …places, c/groups, …kernel]`. */
interface ConvAxes {
  readonly full: Shape;
  readonly weightShape: Shape; // size 1 along n and places
  readonly weightFull: Shape; // the same, stretched by strides of 0
  window(step: readonly number[], taps: readonly number[]): View;
  weightStrides(w: View): number[];
  result(y: View): View;
}

function axesOf(
  image: View,
  m: number,
  { groups, kernel, places }: Pick<ConvOptions, "groups" | "kernel" | "places">,
): ConvAxes {
  const [n, channels] = image.shape;
  const [perIn, perOut] = [channels / groups, m / groups];
  const zeros = places.map(() => 0);
  const ones = places.map(() => 1);
  const full = [n, groups, perOut, ...places, perIn, ...kernel];
  return {
    full,
    weightShape: [1, groups, perOut, ...ones, perIn, ...kernel],
    weightFull: full,
    window: (step, taps) => ({
      ...viewOf(image),
      shape: full,
      strides: [image.strides[0], image.strides[1] * perIn, 0, ...step, image.strides[1], ...taps],
    }),
    weightStrides: ({ strides: [g, o, i, ...taps] }) => [0, g, o, ...zeros, i, ...taps],
    result: (y) => ({
      ...viewOf(y),
      shape: [n, groups, perOut, ...places, 1, ...ones],
      strides: [y.strides[0], y.strides[1] * perOut, ...y.strides.slice(1), 0, ...zeros],
    }),
  };
}

/** Whether the padding behind the image that the sizes ask for is more than minus one step: what fast kernels take. */
function fits({ windows: { stride, dilation, before }, size, places, kernel }: ConvOptions): boolean {
  return size.every(
    (n, i) => (places[i] - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1 - before[i] - n + stride[i] > 0,
  );
}

function alongChannels(b: Tensor, rank: number): View {
  const ones = new Array<number>(rank - 2).fill(1);
  return { ...viewOf(b), shape: [1, b.shape[0], ...ones], strides: [0, b.strides[0], ...ones.map(() => 0)] };
}

function alongChannelsOf(b: Tensor, rank: number): Tensor {
  return b.reshape([1, -1, ...new Array<number>(rank - 2).fill(1)]);
}

function viewOf({ storage, shape, strides, offset, dtype }: View): View {
  return { storage, shape, strides, offset, dtype };
}

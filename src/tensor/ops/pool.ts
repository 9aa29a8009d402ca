import type { View } from "../../backend/backend.ts";
import { call, constant, type Expr, input, Kernel } from "../../backend/expr.ts";
import type { Windows } from "../../backend/fast.ts";
import { contiguousStrides, mapSizes, type Shape, sizeOf } from "../../backend/shape.ts";
import { apply } from "../apply.ts";
import { isGradEnabled } from "../autograd/mode.ts";
import type { Tensor } from "../tensor.ts";
import { imageStrides, inImageFormat } from "./imageFormat.ts";
import type { Op } from "./op.ts";
import { paddedFor, spreadOut, windowStrides } from "./window.ts";

/** The geometry of pooling, checked by whoever applies one of the ops below. */
export interface PoolOptions {
  readonly kernel: Shape;
  readonly windows: Windows;
  readonly size: Shape; // of the input's spatial axes
  readonly places: Shape;
}

/** For each axis and place, one divided by the number of elements counted. */
export interface AverageOptions extends PoolOptions {
  readonly scales: readonly (readonly number[])[];
}

const NOWHERE = 2 ** 31 - 1;
const identity = new Kernel([input(0)], 1);
// The position where the element is the window's largest (or NaN), else a number beyond all positions.
const winner = new Kernel(
  [call("where", call("max", call("equal", input(0), input(1)), call("isNan", input(0))), input(2), constant(NOWHERE))],
  3,
);
const scaled = [1, 2, 3].map((axes) => {
  let product: Expr = input(0);
  for (let i = 1; i <= axes; i++) product = call("mul", product, input(i));
  return new Kernel([product], axes + 1);
});

/** Largest of each window, and hidden: where in the row-major plane it was. Shapes: `[n, c, …size]` → `[n, c, …places]`. */
export const maxPoolOp: Op<PoolOptions> = {
  name: "maxPool",
  saves: "outputs",
  visible: 1,
  infer([x], { places }) {
    const shape = [...x.shape.slice(0, 2), ...places];
    const strides = imageStrides(x, shape);
    return [
      { shape, dtype: x.dtype, strides },
      { shape, dtype: "int32", strides },
    ];
  },
  forward(backend, [x], [out, indices], { kernel, windows, places }) {
    if (out.numel() === 0) return;
    if (backend.fast.maxPool !== undefined && x.dtype === "float32") {
      backend.fast.maxPool(x, kernel, windows, out, indices);
      return;
    }
    const numbers = x._range(sizeOf(x.shape.slice(2))).reshape([1, 1, ...x.shape.slice(2)]);
    const padded = paddedFor(x, kernel, places, windows, Number.NEGATIVE_INFINITY);
    const positions = paddedFor(numbers, kernel, places, windows, NOWHERE);
    const full = [...out.shape, ...kernel];
    const values = windowed(padded, full, windows);
    const largest = behind(out, kernel);
    backend.reduce("max", identity, [values], full, largest, []);
    const stretched: View = { ...largest, shape: full };
    backend.reduce(
      "min",
      winner,
      [values, stretched, windowed(positions, full, windows)],
      full,
      behind(indices, kernel),
      [],
    );
  },
  backward({ gradient, outputs: [, indices], inputSpecs: [{ shape, dtype }], options }) {
    const { backend } = gradient.storage;
    const { maxPoolBackward } = backend.fast;
    if (isGradEnabled()) {
      const flat = (x: Tensor): Tensor => x.reshape([...x.shape.slice(0, 2), -1]);
      const none = gradient._empty([shape[0], shape[1], sizeOf(shape.slice(2))], dtype);
      none._fill(0);
      return [none.scatterAdd(2, flat(indices), flat(gradient)).reshape(shape)];
    }
    const like = inImageFormat(gradient);
    const out = gradient._empty(shape, dtype, imageStrides(like, shape));
    if (maxPoolBackward !== undefined && dtype === "float32" && gradient.numel() > 0) {
      maxPoolBackward(like, indices, options.kernel, options.windows, out);
      return [out];
    }
    out._fill(0);
    if (gradient.numel() > 0)
      backend.scatterAdd("maxPool", plane(out), plane(indices), 2, plane(gradient.contiguous()));
    return [out];
  },
};

/** Mean of each window. Shapes: `[n, c, …size]` → `[n, c, …places]`. */
export const averagePoolOp: Op<AverageOptions> = {
  name: "averagePool",
  saves: "nothing",
  infer([x], { places }) {
    const shape = [...x.shape.slice(0, 2), ...places];
    return [{ shape, dtype: x.dtype, strides: imageStrides(x, shape) }];
  },
  forward(backend, [x], [out], { kernel, windows, places, scales }) {
    if (out.numel() === 0) return;
    if (backend.fast.averagePool !== undefined && x.dtype === "float32") {
      backend.fast.averagePool(x, kernel, windows, scales, out);
      return;
    }
    const padded = paddedFor(x, kernel, places, windows, 0);
    const full = [...out.shape, ...kernel];
    backend.reduce("sum", identity, [windowed(padded, full, windows)], full, behind(out, kernel), []);
    backend.map(scaled[scales.length - 1], [out, ...scaleViews(out, scales)], [out], []);
  },
  backward: ({ gradient, options }) => [apply(averagePoolGradientOp, [inImageFormat(gradient)], options)],
};

/** Gradient of {@link averagePoolOp}. */
const averagePoolGradientOp: Op<AverageOptions> = {
  name: "averagePool backward",
  saves: "nothing",
  infer([gradient], { size }) {
    const shape = [...gradient.shape.slice(0, 2), ...size];
    return [{ shape, dtype: gradient.dtype, strides: imageStrides(gradient, shape) }];
  },
  forward(backend, [gradient], [out], { kernel, windows, size, scales }) {
    if (gradient.numel() === 0) {
      out._fill(0);
      return;
    }
    if (backend.fast.averagePoolBackward !== undefined && gradient.dtype === "float32") {
      backend.fast.averagePoolBackward(gradient, kernel, windows, scales, out);
      return;
    }
    const shares = gradient._empty(gradient.shape, gradient.dtype);
    backend.map(scaled[scales.length - 1], [gradient, ...scaleViews(gradient, scales)], [shares], []);
    const spread = spreadOut(shares, kernel, size, windows);
    const full = [...out.shape, ...kernel];
    const dense = { ...windows, stride: size.map(() => 1) };
    backend.reduce("sum", identity, [windowed(spread, full, dense)], full, behind(out, kernel), []);
    backend.release(shares.storage);
    backend.release(spread.storage);
  },
  backward: ({ gradient, options }) => [apply(averagePoolOp, [inImageFormat(gradient)], options)],
};

/** The windows of an image batch: `[n, c, …places, …kernel]`, as a view. */
function windowed(x: Tensor, full: Shape, windows: Windows): View {
  const { places, taps } = windowStrides(x, windows);
  const outer = x.strides.slice(0, 2).map((step, i) => (x.shape[i] === 1 ? 0 : step));
  return { storage: x.storage, shape: full, strides: [...outer, ...places, ...taps], offset: x.offset, dtype: x.dtype };
}

/** A result with the axes of the windows behind, at size 1. */
function behind(out: Tensor, kernel: Shape): View {
  const { storage, offset, dtype } = out;
  return {
    storage,
    shape: [...out.shape, ...kernel.map(() => 1)],
    strides: [...out.strides, ...kernel.map(() => 0)],
    offset,
    dtype,
  };
}

/** The scales of each axis as views that broadcast to the result. */
function scaleViews(out: Tensor, scales: readonly (readonly number[])[]): Tensor[] {
  return scales.map((values, axis) => {
    const shape = mapSizes(out.shape, (_, i) => (i === axis + 2 ? values.length : 1));
    const view = out._empty(shape, "float64");
    view.storage.elements("float64").set(values);
    return view;
  });
}

/** `[n, c, …size]` seen as `[n, c, positions]`; the memory is row-major or channels-last. */
function plane(x: Tensor): View {
  const shape = [...x.shape.slice(0, 2), sizeOf(x.shape.slice(2))];
  const dense = x.isContiguous() ? contiguousStrides(shape) : [...x.strides.slice(0, 2), x.shape[1]];
  return { storage: x.storage, shape, strides: dense, offset: x.offset, dtype: x.dtype };
}

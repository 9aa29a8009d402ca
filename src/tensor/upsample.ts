import { ArgumentError, ShapeError } from "../backend/errors.ts";
import { requireFloat } from "./ops/elementwise.ts";
import { likeImages } from "./ops/imageFormat.ts";
import { type PerAxis, perAxis } from "./ops/window.ts";
import type { Tensor } from "./tensor.ts";

/** How {@link interpolate} finds values between pixels; linear ones by the number of spatial axes (1, 2, 3). */
export type InterpolationMode = "nearest" | "linear" | "bilinear" | "trilinear";

/** Options of {@link interpolate}; exactly one of size and scaleFactor. */
export interface InterpolateOptions {
  /** Sizes of the spatial axes of the result. */
  readonly size?: PerAxis;
  /** How much larger each spatial axis becomes, above 0; sizes are rounded down. */
  readonly scaleFactor?: PerAxis;
  /** Default "nearest". */
  readonly mode?: InterpolationMode;
  /** Linear modes: whether the corner pixels' centres stay corners; else their outer edges do. Default false. */
  readonly alignCorners?: boolean;
}

const linearModes: readonly InterpolationMode[] = ["linear", "bilinear", "trilinear"];

/**
 * Images (or sequences, or volumes) of another size.
 *
 * Shapes: x `[n, c, …sizes]` with 1 to 3 spatial axes → `[n, c, …newSizes]`.
 *
 * @throws {@link ShapeError} when x has no spatial axis or the result would be empty.
 * @throws {@link ArgumentError} when not exactly one of size and scaleFactor is given, or the mode does not fit the axes.
 * @see PyTorch: `F.interpolate`.
 * @example
 * interpolate(tensor([[[1, 2]]]), { scaleFactor: 2 }).toArray(); // => [[[1, 1, 2, 2]]]
 */
export function interpolate(x: Tensor, options: InterpolateOptions): Tensor {
  const { mode = "nearest", alignCorners = false } = options;
  requireFloat("interpolate", x);
  const axes = x.rank - 2;
  if (axes < 1 || axes > 3 || x.shape.slice(2).includes(0)) {
    throw new ShapeError(
      "interpolate",
      `input [${x.shape}] must be [n, c, …] with 1 to 3 spatial axes that are not empty.`,
    );
  }
  if (mode !== "nearest" && mode !== linearModes[axes - 1]) {
    throw new ArgumentError(
      "interpolate",
      `mode "${mode}" does not fit input [${x.shape}]; use "nearest" or "${linearModes[axes - 1]}".`,
    );
  }
  const { sizes, steps } = targetOf(x, axes, options);
  const resize = mode === "nearest" ? nearestAlong : alignCorners ? linearCorners : linearEdges;
  const y = sizes.reduce<Tensor>((part, size, i) => resize(part, i + 2, size, steps[i]), x);
  return likeImages(y, x);
}

/** New sizes, and how many old pixels one new pixel is wide. */
function targetOf(
  x: Tensor,
  axes: number,
  { size, scaleFactor }: InterpolateOptions,
): { sizes: readonly number[]; steps: readonly number[] } {
  const old = x.shape.slice(2);
  if ((size === undefined) === (scaleFactor === undefined)) {
    throw new ArgumentError("interpolate", "give exactly one of size and scaleFactor.");
  }
  if (size !== undefined) {
    const sizes = perAxis("interpolate", "size", size, axes, 1);
    return { sizes, steps: old.map((n, i) => n / sizes[i]) };
  }
  const factors = typeof scaleFactor === "number" ? old.map(() => scaleFactor) : (scaleFactor ?? []);
  if (factors.length !== axes || factors.some((f) => !(f > 0 && Number.isFinite(f)))) {
    throw new ArgumentError(
      "interpolate",
      `scaleFactor must be a number above 0, or ${axes} of them; got [${factors}].`,
    );
  }
  const sizes = old.map((n, i) => Math.floor(n * factors[i]));
  if (sizes.includes(0))
    throw new ShapeError("interpolate", `[${x.shape}] scaled by [${factors}] is empty ([${sizes}]).`);
  return { sizes, steps: factors.map((f) => 1 / f) };
}

function nearestAlong(x: Tensor, axis: number, size: number, step: number): Tensor {
  const last = x.shape[axis] - 1;
  return pick(x, axis, size, (i) => Math.min(Math.floor(i * step), last));
}

/** Pixel i lies at i·(old − 1)/(new − 1). */
function linearCorners(x: Tensor, axis: number, size: number): Tensor {
  const step = size > 1 ? (x.shape[axis] - 1) / (size - 1) : 0;
  return linearAlong(x, axis, size, (i) => i * step);
}

/** Pixel i lies at (i + ½)·step − ½, but not before the first. */
function linearEdges(x: Tensor, axis: number, size: number, step: number): Tensor {
  return linearAlong(x, axis, size, (i) => Math.max(0, (i + 0.5) * step - 0.5));
}

function linearAlong(x: Tensor, axis: number, size: number, place: (i: number) => number): Tensor {
  const last = x.shape[axis] - 1;
  const before = (i: number): number => Math.min(Math.floor(place(i)), last);
  const left = pick(x, axis, size, before);
  const right = pick(x, axis, size, (i) => Math.min(before(i) + 1, last));
  const share = x._empty([size], x.dtype === "float64" ? "float64" : "float32");
  const elements = share.storage.elements(share.dtype);
  for (let i = 0; i < size; i++) elements[i] = Math.min(1, place(i) - before(i));
  const ones = new Array<number>(x.rank - 1 - axis).fill(1);
  return left.lerp(right, share.reshape([size, ...ones]).to(x.dtype));
}

function pick(x: Tensor, axis: number, size: number, position: (i: number) => number): Tensor {
  const index = x._range(size);
  const elements = index.storage.elements("int32");
  for (let i = 0; i < size; i++) elements[i] = position(i);
  return x.indexSelect(axis, index);
}

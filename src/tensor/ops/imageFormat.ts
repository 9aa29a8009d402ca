/**
 * How image batches `[n, c, …spatial]` lie in memory. Backends with image kernels name the order they are fastest in;
 * convolution, pooling and batch norm then take and give that order, so that a net runs in it from its first such layer on.
 * Elsewhere results follow their input. Shapes never change; only `strides` and `isContiguous()` tell.
 */
import type { Backend } from "../../backend/backend.ts";
import { channelsLastStrides, type Shape } from "../../backend/shape.ts";
import type { Tensor } from "../tensor.ts";

/** Strides of a result computed from image batch `x`; undefined means row-major. */
export function imageStrides(x: Tensor, shape: Shape): readonly number[] | undefined {
  return prefersChannelsLast(x.storage.backend) || followsChannelsLast(x) ? channelsLastStrides(shape) : undefined;
}

/** An image batch in the order the backend's kernels take; itself where it already is, or where the backend has no wish. */
export function inImageFormat(x: Tensor): Tensor {
  return prefersChannelsLast(x.storage.backend) ? x.contiguous({ memoryFormat: "channelsLast" }) : x;
}

/** A result of general operations on image batch `x`, in the order an image operation would have given it. */
export function likeImages(result: Tensor, x: Tensor): Tensor {
  const channelsLast = prefersChannelsLast(x.storage.backend) || followsChannelsLast(x);
  return result.contiguous({ memoryFormat: channelsLast ? "channelsLast" : "contiguous" });
}

/** Whether an image batch lies in channels-last order and not just as well in row-major order. */
export function followsChannelsLast(x: Tensor): boolean {
  return x.rank > 2 && !x.isContiguous() && x.isContiguous({ memoryFormat: "channelsLast" });
}

function prefersChannelsLast(backend: Backend): boolean {
  return backend.fast.imageFormat === "channelsLast";
}

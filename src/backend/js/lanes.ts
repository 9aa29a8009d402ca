import type { View } from "../backend.ts";
import { loadLane, storeLane } from "./element.ts";
import { eachLane } from "./loops.ts";

/** See {@link Backend.argReduce}. */
export function argReduce(kind: "max" | "min", x: View, axis: number, out: View): void {
  const data = x.storage.elements(x.dtype);
  const positions = out.storage.elements(out.dtype);
  const lane = new Float64Array(x.shape[axis] ?? 1);
  const stride = x.strides[axis] ?? 0;
  eachLane([x, out], axis, ([from, to]) => {
    loadLane(data, x.dtype, from, stride, lane);
    positions[to] = kind === "max" ? argMax(lane) : argMin(lane);
  });
}

/** See {@link Backend.scan}. Runs in float64. */
export function scan(kind: "sum" | "prod", x: View, axis: number, out: View): void {
  const data = x.storage.elements(x.dtype);
  const target = out.storage.elements(out.dtype);
  const lane = new Float64Array(x.shape[axis] ?? 1);
  eachLane([x, out], axis, ([from, to]) => {
    loadLane(data, x.dtype, from, x.strides[axis] ?? 0, lane);
    if (kind === "sum") for (let i = 1; i < lane.length; i++) lane[i] += lane[i - 1];
    else for (let i = 1; i < lane.length; i++) lane[i] *= lane[i - 1];
    storeLane(lane, target, out.dtype, to, out.strides[axis] ?? 0);
  });
}

/** See {@link Backend.sort}. */
export function sort(x: View, axis: number, descending: boolean, values: View, indices: View): void {
  const data = x.storage.elements(x.dtype);
  const sorted = values.storage.elements(values.dtype);
  const origins = indices.storage.elements(indices.dtype);
  const lane = new Float64Array(x.shape[axis] ?? 1);
  const order = new Int32Array(lane.length);
  const ascendingBy = (i: number, j: number): number => compare(lane[i], lane[j]) || i - j;
  const descendingBy = (i: number, j: number): number => compare(lane[j], lane[i]) || i - j;
  const [valueStride, indexStride] = [values.strides[axis] ?? 0, indices.strides[axis] ?? 0];
  eachLane([x, values, indices], axis, ([from, valueAt, indexAt]) => {
    loadLane(data, x.dtype, from, x.strides[axis] ?? 0, lane);
    for (let i = 0; i < order.length; i++) order[i] = i;
    order.sort(descending ? descendingBy : ascendingBy);
    for (let i = 0; i < order.length; i++) origins[indexAt + i * indexStride] = order[i];
    storeLane(
      lane.map((_, i) => lane[order[i]]),
      sorted,
      values.dtype,
      valueAt,
      valueStride,
    );
  });
}

/** Orders numbers with NaN after all others. */
function compare(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

function argMax(lane: Float64Array): number {
  let best = 0;
  for (let i = 0; i < lane.length; i++) {
    if (Number.isNaN(lane[i])) return i;
    if (lane[i] > lane[best]) best = i;
  }
  return best;
}

function argMin(lane: Float64Array): number {
  let best = 0;
  for (let i = 0; i < lane.length; i++) {
    if (Number.isNaN(lane[i])) return i;
    if (lane[i] < lane[best]) best = i;
  }
  return best;
}

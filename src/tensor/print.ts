import { isFloatingPoint } from "../backend/dtype.ts";
import type { Tensor } from "./tensor.ts";
import { decode } from "./values.ts";

const edge = 3;
const threshold = 1000;
const lineWidth = 80;

/** A tensor as text, in PyTorch's manner: aligned numbers, four decimals, long axes cut to three at each end. */
export function formatTensor(x: Tensor): string {
  const tail = [
    x.dtype === "float32" || x.dtype === "int32" || x.dtype === "bool" ? "" : `dtype=${x.dtype}`,
    x._node !== undefined ? `gradFn=<${x._node.name}>` : x.requiresGrad ? "requiresGrad=true" : "",
  ].filter((part) => part !== "");
  const suffix = tail.length > 0 ? `, ${tail.join(", ")}` : "";
  if (x.numel() === 0) return `tensor([]${x.rank === 1 ? "" : `, shape=[${x.shape.join(", ")}]`}${suffix})`;
  const cut = x.numel() > threshold;
  const format = numberFormat(x, cut);
  return `tensor(${formatAxis(x, 0, x.offset, format, cut)}${suffix})`;
}

function formatAxis(x: Tensor, axis: number, offset: number, format: (v: number) => string, cut: boolean): string {
  if (axis === x.rank) return format(element(x, offset));
  const indent = " ".repeat("tensor(".length + axis + 1);
  const gap = axis === x.rank - 1 ? " ..." : "...";
  const parts = shown(x.shape[axis], cut).map((i) =>
    i < 0 ? gap : formatAxis(x, axis + 1, offset + i * x.strides[axis], format, cut),
  );
  if (axis < x.rank - 1) return `[${parts.join(`,${"\n".repeat(x.rank - 1 - axis)}${indent}`)}]`;
  return `[${wrap(parts, indent)}]`;
}

function wrap(parts: readonly string[], indent: string): string {
  const width = (parts[0]?.length ?? 1) + 2;
  const perLine = Math.max(1, Math.floor((lineWidth - indent.length + 1) / width));
  const lines: string[] = [];
  for (let i = 0; i < parts.length; i += perLine) lines.push(parts.slice(i, i + perLine).join(", "));
  return lines.join(`,\n${indent}`);
}

/** Positions that are printed; -1 stands for the gap. */
function shown(size: number, cut: boolean): number[] {
  if (!cut || size <= 2 * edge) return Array.from({ length: size }, (_, i) => i);
  return [0, 1, 2, -1, size - 3, size - 2, size - 1];
}

function element(x: Tensor, position: number): number {
  return decode(x.dtype, x.storage.elements(x.dtype)[position]);
}

/** One format for all printed numbers, so that columns line up. */
function numberFormat(x: Tensor, cut: boolean): (v: number) => string {
  const values = printed(x, 0, x.offset, cut);
  if (x.dtype === "bool") return (v) => (v !== 0 ? "true" : "false").padStart(values.every((b) => b !== 0) ? 4 : 5);
  if (!isFloatingPoint(x.dtype)) {
    const width = Math.max(...values.map((v) => String(v).length));
    return (v) => String(v).padStart(width);
  }
  // As in PyTorch, zeros, infinities and NaN do not count, and stick out where they are longer.
  const counted = values.filter((v) => Number.isFinite(v) && v !== 0);
  const text = textFormat(counted);
  const width = Math.max(1, ...counted.map((v) => text(v).length));
  return (v) => (Number.isFinite(v) ? text(v) : Number.isNaN(v) ? "nan" : v > 0 ? "inf" : "-inf").padStart(width);
}

function textFormat(values: readonly number[]): (v: number) => string {
  const sizes = values.map(Math.abs);
  const [smallest, largest] = [Math.min(...sizes), Math.max(...sizes)];
  const whole = values.every(Number.isInteger);
  if (largest / smallest > 1000 || largest > 1e8 || (!whole && smallest < 1e-4)) return exponential;
  return (v) => `${Object.is(v, -0) ? "-" : ""}${whole ? `${v}.` : v.toFixed(4)}`;
}

function exponential(v: number): string {
  return v.toExponential(4).replace(/e([+-])(\d)$/, "e$10$2");
}

function printed(x: Tensor, axis: number, offset: number, cut: boolean): number[] {
  if (axis === x.rank) return [element(x, offset)];
  return shown(x.shape[axis], cut)
    .filter((i) => i >= 0)
    .flatMap((i) => printed(x, axis + 1, offset + i * x.strides[axis], cut));
}

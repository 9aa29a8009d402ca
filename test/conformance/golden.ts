import { readFileSync } from "node:fs";
import type { DType } from "../../src/backend/dtype.ts";
import { type Tensor, tensor } from "../../src/tensor/index.ts";
import { expectClose } from "../close.ts";
import { type Arguments, operations } from "./operations.ts";

/** A number as it stands in a golden file; JSON has no NaN, infinities and −0. */
export type Stored = number | "NaN" | "Infinity" | "-Infinity" | "-0";

type ViewStep =
  | readonly ["permute", readonly number[]]
  | readonly ["transpose", number, number]
  | readonly ["slice", number, number, number, number]
  | readonly ["expand", readonly number[]]
  | readonly ["reshape", readonly number[]];

interface Recorded {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: readonly Stored[];
}

/** What PyTorch computed; see `test/golden/make.py`. */
export interface GoldenCase {
  readonly op: string;
  readonly tolerance: "exact" | "chain";
  readonly args: Arguments;
  readonly inputs: readonly (Recorded & { readonly view: readonly ViewStep[] })[];
  readonly outputs: readonly Recorded[];
  readonly grads: readonly (readonly Stored[] | null)[];
}

/** The cases of a family. */
export function loadGolden(family: string): GoldenCase[] {
  return JSON.parse(readFileSync(new URL(`../golden/${family}.json`, import.meta.url), "utf8"));
}

/** A recorded tensor in a device's memory. */
export function build({ shape, dtype, data }: Recorded, device: string): Tensor {
  return tensor(Float64Array.from(data, Number), { shape, dtype, device });
}

/** Runs a case on a device and compares values, dtypes and gradients. */
export function checkCase(golden: GoldenCase, device: string): void {
  const { op, args, inputs, outputs, grads } = golden;
  const bases = inputs.map((spec, i) => {
    const base = build(spec, device);
    if (spec.dtype === "float32" && grads[i]) base.requiresGrad = true;
    return base;
  });
  const taken = bases.map((base, i) => inputs[i].view.reduce(takeView, base));
  const run = operations[op];
  if (run === undefined) throw new Error(`test/conformance/operations.ts does not know "${op}"`);
  const result = run(taken, args);
  const actual = Array.isArray(result) ? result : [result];
  const rtol = golden.tolerance === "exact" ? 1e-5 : 1e-4;
  if (actual.length !== outputs.length) throw new Error(`${actual.length} outputs instead of ${outputs.length}`);
  actual.forEach((y, i) => {
    const wanted = outputs[i];
    const [is, should] = [`${y.dtype} [${y.shape}]`, `${wanted.dtype} [${wanted.shape}]`];
    if (is !== should) throw new Error(`output ${i} is ${is}, not ${should}`);
    at(`output ${i}`, () => expectClose(y, wanted.data.map(Number), { rtol, atol: roundingOf(wanted.data) }));
  });
  if (grads.every((g) => g === null)) return;
  const parts = actual.filter((y) => y.requiresGrad).map((y) => y.mul(weightsFor(y)).sum());
  parts.reduce((a, b) => a.add(b)).backward();
  grads.forEach((wanted, i) => {
    const { grad } = bases[i];
    if (wanted === null) return;
    const zeros = new Float64Array(wanted.length);
    at(`gradient ${i}`, () => expectClose(grad ?? zeros, wanted.map(Number), { rtol, atol: roundingOf(wanted) }));
  });
}

/** What float32 may lose where large terms cancel: by the largest number beside, within reason. */
function roundingOf(data: readonly Stored[]): number {
  const largest = data.reduce<number>(
    (most, x) => Math.max(most, Number.isFinite(Number(x)) ? Math.abs(Number(x)) : 0),
    0,
  );
  return 1e-6 * Math.min(Math.max(1, largest), 100);
}

/** The same weights as in make.py: no two neighbours alike, exact in float32. */
export function weightsFor(y: Tensor): Tensor {
  const values = Float64Array.from({ length: y.numel() }, (_, i) => (((i * 7) % 11) - 5) / 4 + 0.125);
  return tensor(values, { shape: y.shape, device: y.device, dtype: y.dtype });
}

function takeView(x: Tensor, step: ViewStep): Tensor {
  switch (step[0]) {
    case "permute":
      return x.permute(step[1]);
    case "transpose":
      return x.transpose(step[1], step[2]);
    case "slice":
      return x.slice(step[1], step[2], step[3], step[4]);
    case "expand":
      return x.expand(step[1]);
    case "reshape":
      return x.reshape(step[1]);
  }
}

function at(where: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new Error(`${where}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

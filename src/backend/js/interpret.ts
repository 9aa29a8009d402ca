import type { TypedArray } from "../dtype.ts";
import { loadOf, storeOf } from "./element.ts";
import { joins, type Nest, type NestSpec } from "./nest.ts";
import { functions } from "./scalar.ts";

const BLOCK = 256;

/** Computes one instruction for `count` elements of a block. */
type Step = (registers: readonly Float64Array[], run: Run, count: number) => void;

/** Where a block lies: the position of its first element in each view. */
interface Run {
  readonly data: readonly TypedArray[];
  readonly strides: readonly number[];
  readonly scalars: readonly number[];
  readonly at: number[];
}

/** A {@link Nest} without source code: one loop per instruction over blocks of elements. */
export function interpretNest(spec: NestSpec): Nest {
  const steps = spec.kernel.code.map((_, position) => stepOf(spec, position));
  const registers = steps.map(() => new Float64Array(BLOCK));
  const finish = spec.reduce === undefined ? storeStep(spec) : undefined;
  const views = spec.dtypes.length;
  return (data, offsets, strides, sizes, scalars, sums) => {
    const run: Run = { data, strides, scalars, at: [...offsets] };
    for (let k = 0; k < sizes[2]; k++) {
      for (let j = 0; j < sizes[1]; j++) {
        for (let i = 0; i < sizes[0]; i += BLOCK) {
          for (let v = 0; v < views; v++) {
            run.at[v] = offsets[v] + k * strides[3 * v + 2] + j * strides[3 * v + 1] + i * strides[3 * v];
          }
          const count = Math.min(BLOCK, sizes[0] - i);
          for (const step of steps) step(registers, run, count);
          if (finish !== undefined) finish(registers, run, count);
          else joinBlock(spec, registers, count, sums, k, i);
        }
      }
    }
  };
}

function stepOf({ kernel, dtypes }: NestSpec, position: number): Step {
  const instruction = kernel.code[position];
  switch (instruction.kind) {
    case "input": {
      const v = instruction.index;
      const load = loadOf(dtypes[v]) ?? ((raw: number) => raw);
      return (registers, { data, at, strides }, count) => {
        const out = registers[position];
        for (let i = 0; i < count; i++) out[i] = load(data[v][at[v] + i * strides[3 * v]]);
      };
    }
    case "scalar":
      return (registers, { scalars }) => registers[position].fill(scalars[instruction.index]);
    case "constant":
      return (registers) => registers[position].fill(instruction.value);
    case "call": {
      const compute = functions[instruction.op];
      const [a, b = a, c = a] = instruction.args;
      return (registers, _run, count) => {
        const out = registers[position];
        const [x, y, z] = [registers[a], registers[b], registers[c]];
        for (let i = 0; i < count; i++) out[i] = compute(x[i], y[i], z[i]);
      };
    }
  }
}

function storeStep({ kernel, dtypes }: NestSpec): Step {
  const stores = dtypes.map((dtype) => storeOf(dtype) ?? ((value: number) => value));
  return (registers, { data, at, strides }, count) => {
    for (const [k, position] of kernel.results.entries()) {
      const v = kernel.inputCount + k;
      for (let i = 0; i < count; i++) data[v][at[v] + i * strides[3 * v]] = stores[v](registers[position][i]);
    }
  };
}

function joinBlock(
  { kernel, reduce }: NestSpec,
  registers: readonly Float64Array[],
  count: number,
  sums: Float64Array,
  k: number,
  i: number,
): void {
  if (reduce === undefined) return;
  const { join } = joins[reduce.kind];
  const values = registers[kernel.results[0]];
  for (let t = 0; t < count; t++) {
    const at = reduce.kept === "inner" ? i + t : k;
    sums[at] = join(sums[at], reduce.asBool ? Number(values[t] !== 0) : values[t]);
  }
}

import type { Shape } from "../backend/shape.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import { getRandomState, setRandomState } from "../tensor/random.ts";
import { Tensor } from "../tensor/tensor.ts";
import { ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from "./conv.ts";
import { Embedding } from "./embedding.ts";
import type { AnyModule, Module } from "./module.ts";
import { Hooks } from "./moduleHooks.ts";
import { Parameter } from "./parameter.ts";

/** A module in a {@link Summary}. */
export interface SummaryRow {
  /** Where it is in the model; "" for the model itself. */
  readonly path: string;
  /** Name of its class. */
  readonly type: string;
  /** Shapes of the tensors it gives; empty when its forward was not called. */
  readonly outputs: readonly Shape[];
  /** Number of elements of its own parameters; those of its submodules, and shared ones that came before, not counted. */
  readonly parameters: number;
  /** Multiplications of its own weights, for one sample of the batch, in millions. */
  readonly mflops: number;
}

/** What {@link summary} gives; prints as a table. */
export class Summary {
  /** One row per module, in the order of the tree. */
  readonly rows: readonly SummaryRow[];
  readonly parameters: number;
  /** Those that are not frozen. */
  readonly trainable: number;
  /** Multiplications by weights for one sample, in millions. */
  readonly mflops: number;

  constructor(rows: readonly SummaryRow[], trainable: number) {
    this.rows = rows;
    this.parameters = rows.reduce((sum, row) => sum + row.parameters, 0);
    this.trainable = trainable;
    this.mflops = rows.reduce((sum, row) => sum + row.mflops, 0);
  }

  toString(): string {
    const lines = this.rows.map(({ path, type, outputs, parameters, mflops }) => [
      `${"  ".repeat(path === "" ? 0 : path.split(".").length)}${path === "" ? "" : `${path}: `}${type}`,
      outputs.map((shape) => `[${shape.join(", ")}]`).join(" "),
      parameters === 0 ? "" : parameters.toLocaleString("en-US"),
      mflops === 0 ? "" : mflops.toFixed(mflops < 0.1 ? 4 : 1),
    ]);
    const table = [["Module", "Output", "Parameters", "MFLOPs"], ...lines];
    const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((line) => line[column].length)));
    const text = table.map((line) =>
      line
        .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
        .join("  ")
        .trimEnd(),
    );
    const rule = "-".repeat(widths.reduce((sum, width) => sum + width + 2, -2));
    const totals = `${this.parameters.toLocaleString("en-US")} parameters, ${this.trainable.toLocaleString("en-US")} of them trainable, ${this.mflops.toFixed(1)} MFLOPs`;
    return [text[0], rule, ...text.slice(1), rule, totals].join("\n");
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }
}

interface Seen {
  outputs: readonly Shape[];
  multiplications: number;
}

/**
 * A table of a model's modules with their output shapes, numbers of parameters and MFLOPs, by running it once.
 * Nothing is changed: no gradients, running statistics, random numbers or modes.
 *
 * @param inputs - What the model's forward takes; the first axis is the batch.
 * @see miniai: `summary`. Differs: every module has a row; each weight counts at the size of its own layer's output, not of
 * the block's; only weights of matrices and convolutions count.
 * @example
 * const table = nn.summary(new nn.Sequential(new nn.Linear(784, 50), new nn.ReLU(), new nn.Linear(50, 10)), zeros([64, 784]));
 * table.parameters; // => 39760
 * table.mflops; // => 0.0397
 */
export function summary<Inputs extends readonly unknown[]>(model: Module<Inputs, unknown>, ...inputs: Inputs): Summary {
  const named = [...model.namedModules()];
  const seen = new Map<AnyModule, Seen>();
  run(
    model,
    inputs,
    named.map(([, module]) => module),
    (module, given, output) => {
      const tensors = tensorsIn(output);
      const multiplications = (seen.get(module)?.multiplications ?? 0) + multiplicationsOf(module, given, tensors);
      seen.set(module, { outputs: tensors.map((x) => x.shape), multiplications });
    },
  );
  const samples = Math.max(1, tensorsIn(inputs)[0]?.shape[0] ?? 1);
  const counted = new Set<Parameter>();
  const rows = named.map(([path, module]) => ({
    path,
    type: module.constructor.name,
    outputs: seen.get(module)?.outputs ?? [],
    parameters: count(ownParameters(module).filter((p) => !counted.has(p) && counted.add(p))),
    mflops: (seen.get(module)?.multiplications ?? 0) / samples / 1e6,
  }));
  return new Summary(rows, count(model.parameters().filter((p) => p.requiresGrad)));
}

function run<Inputs extends readonly unknown[]>(
  model: Module<Inputs, unknown>,
  inputs: Inputs,
  modules: readonly AnyModule[],
  see: (module: AnyModule, inputs: readonly unknown[], output: unknown) => void,
): void {
  const modes = modules.map((module) => module.training);
  const random = getRandomState();
  const hooks = new Hooks(modules, (module, given, output) => see(module, given, output));
  model.eval();
  try {
    hooks.use(() => noGrad(() => model.forward(...inputs)));
  } finally {
    modules.forEach((module, i) => {
      module.training = modes[i];
    });
    setRandomState(random);
  }
}

/** Every weight of a matrix is used once for each row of the output, every one of a convolution once for each place. */
function multiplicationsOf(module: AnyModule, inputs: readonly unknown[], outputs: readonly Tensor[]): number {
  if (module instanceof Embedding) return 0;
  const transposed = [ConvTranspose1d, ConvTranspose2d, ConvTranspose3d].some((type) => module instanceof type);
  const places = (transposed ? tensorsIn(inputs) : outputs)[0];
  if (places === undefined) return 0;
  return ownParameters(module).reduce((sum, weight) => {
    if (weight.rank < 2) return sum;
    const features = places.shape[weight.rank === 2 ? places.rank - 1 : 1];
    return sum + (weight.numel() * places.numel()) / Math.max(1, features);
  }, 0);
}

function ownParameters(module: AnyModule): Parameter[] {
  return [...module.members()].flatMap(([, member]) =>
    (Array.isArray(member) ? member : [member]).filter((part) => part instanceof Parameter),
  );
}

function tensorsIn(value: unknown): Tensor[] {
  if (value instanceof Tensor) return [value];
  return Array.isArray(value) ? value.flatMap(tensorsIn) : [];
}

function count(parameters: readonly Parameter[]): number {
  return parameters.reduce((sum, p) => sum + p.numel(), 0);
}

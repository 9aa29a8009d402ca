import * as nn from "../../src/nn/index.ts";
import { noGrad, type Tensor } from "../../src/tensor/index.ts";
import { values } from "./images.ts";

/** A layer of a golden file, and how it is called. */
export interface BuiltLayer {
  readonly module: nn.AnyModule;
  readonly run: (inputs: readonly Tensor[]) => Tensor;
}

/** Where a layer computes, and in what. */
export interface LayerSetting {
  readonly device: string;
  readonly dtype: "float32" | "float64";
}

/** Arguments as they stand in a golden file: JSON, whose types are those of makeNn.py. */
type Make = (...args: never[]) => nn.Layer;

/** The layers made by other means than a constructor of their name. */
const blocks: Readonly<Record<string, Make>> = {
  convBlock: nn.convBlock,
  ResBlock: (inChannels: number, outChannels: number, options?: nn.ConvBlockOptions) =>
    new nn.ResBlock(inChannels, outChannels, options),
};

/** Makes the layer a golden case names. */
export function buildLayer(name: string, args: readonly unknown[], setting: LayerSetting): BuiltLayer {
  const given: never[] = JSON.parse(JSON.stringify(args));
  if (name === "MultiheadAttention") return attention(args, setting);
  const constructors: Readonly<Record<string, unknown>> = nn;
  const make = blocks[name] ?? constructors[name];
  if (typeof make !== "function") throw new Error(`there is no layer ${name}`);
  const module: unknown = blocks[name] === undefined ? Reflect.construct(make, given) : blocks[name](...given);
  if (!(module instanceof nn.Module)) throw new Error(`${name} is no module`);
  return { module, run: (inputs) => module.forward(...inputs) };
}

function attention(args: readonly unknown[], setting: LayerSetting): BuiltLayer {
  const [size, heads, options, kind]: [number, number, nn.MultiheadAttentionOptions?, string?] = JSON.parse(
    JSON.stringify(args),
  );
  const module = new nn.MultiheadAttention(size, heads, options);
  return {
    module,
    run: ([query, key, value]) => module.forward(query, key, value, maskOf(kind, setting)),
  };
}

function maskOf(kind: string | undefined, setting: LayerSetting): nn.AttentionMask {
  if (kind === "causal") return { isCausal: true };
  const numbers = values([3, 5], 6, setting);
  if (kind === "added") return { mask: numbers };
  if (kind !== "bool") return {};
  const first = numbers._range(5).eq(0);
  return { mask: numbers.gt(-0.3).logicalOr(first) };
}

/** The weights makeNn.py gives. */
export function fill(module: nn.AnyModule, setting: LayerSetting): void {
  noGrad(() => {
    for (const [k, [key, x]] of [...module.stateDict()].entries()) {
      if (key.endsWith("num_batches_tracked")) continue;
      const half = values(x.shape, 20 + k, setting).div(2);
      x.copy_(key.endsWith("running_var") ? half.add(1) : half);
    }
  });
}

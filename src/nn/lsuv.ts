import { ArgumentError } from "../backend/errors.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import { Tensor } from "../tensor/tensor.ts";
import { GeneralRelu } from "./activation.ts";
import type { AnyModule, Module } from "./module.ts";
import { Hooks } from "./moduleHooks.ts";

/** A module with a weight to scale and, it may be, a bias to shift. */
export type WeightedModule = AnyModule & { readonly weight: Tensor; readonly bias?: Tensor | undefined };

/** A layer whose weight and bias are changed, and the module whose output that is to normalise. */
export interface LsuvPair {
  readonly layer: WeightedModule;
  readonly output: AnyModule;
}

/** Options of {@link lsuv}. */
export interface LsuvOptions {
  /** What to normalise, in the order of the computation. Default each layer with a weight matrix, by its own output. */
  readonly pairs?: readonly LsuvPair[];
  /** How near mean and deviation must come to 0 and 1. Default 1e-3. */
  readonly tolerance?: number;
  /** Most changes of one layer, from 1. Default 20. */
  readonly maxIterations?: number;
}

/** What {@link lsuv} did to a layer. */
export interface LsuvResult {
  /** Path of the layer in the model. */
  readonly path: string;
  /** Mean and deviation of the output before and after. */
  readonly before: Moments;
  readonly after: Moments;
  /** Number of changes. */
  readonly iterations: number;
  /** Whether mean and deviation (the deviation alone where nothing can shift the mean) are within the tolerance. */
  readonly converged: boolean;
}

/** Mean and standard deviation of some numbers. */
export interface Moments {
  readonly mean: number;
  readonly std: number;
}

/**
 * Initialises a model by its data: layer by layer, weights are scaled and biases shifted until outputs over one batch have
 * mean 0 and deviation 1. Where the output comes from a {@link GeneralRelu} with `sub`, that is shifted, not the bias.
 *
 * The model runs in evaluation mode. A layer that does not come within the tolerance, such as one seen after a ReLU,
 * whose mean cannot be 0, is left at its best.
 *
 * @param batch - Inputs as the model will see them in training.
 * @throws {@link ArgumentError} when an output is no tensor, or is not computed at all.
 * @see Mishkin and Matas 2015, All you need is a good init, https://arxiv.org/abs/1511.06422; fastai: `lsuv_init`.
 * Differs: mean and deviation are both checked after every change, and the number of changes is bounded.
 * @example
 * const [layer, output] = [new nn.Linear(20, 30), new nn.GeneralRelu({ sub: 0.4 })];
 * const model = new nn.Sequential(layer, output);
 * nn.lsuv(model, randn([256, 20]), { pairs: [{ layer, output }] })[0].converged; // => true
 */
export function lsuv(
  model: Module<readonly [Tensor], unknown>,
  batch: Tensor,
  { pairs, tolerance = 1e-3, maxIterations = 20 }: LsuvOptions = {},
): LsuvResult[] {
  if (!Number.isSafeInteger(maxIterations) || maxIterations < 1) {
    throw new ArgumentError("lsuv", `maxIterations must be a whole number from 1, got ${maxIterations}.`);
  }
  const named = [...model.namedModules()];
  const layers =
    pairs ?? named.flatMap(([, module]) => (isWeighted(module) ? [{ layer: module, output: module }] : []));
  const modes = named.map(([, module]) => module.training);
  model.eval();
  try {
    return noGrad(() =>
      layers.map((pair) => {
        const path = named.find(([, module]) => module === pair.layer)?.[0];
        if (path === undefined) throw new ArgumentError("lsuv", "a layer to be initialised is not part of the model.");
        return { path, ...normalise(pair, () => observe(model, batch, pair.output), tolerance, maxIterations) };
      }),
    );
  } finally {
    named.forEach(([, module], i) => {
      module.training = modes[i];
    });
  }
}

function normalise(
  pair: LsuvPair,
  look: () => Moments,
  tolerance: number,
  maxIterations: number,
): Omit<LsuvResult, "path"> {
  const canShift = shiftable(pair);
  const distance = ({ mean, std }: Moments): number => Math.max(Math.abs(std - 1), canShift ? Math.abs(mean) : 0);
  const before = look();
  let now = before;
  let best = { moments: now, restore: remember(pair) };
  let iterations = 0;
  while (!(distance(now) < tolerance) && now.std > 0 && Number.isFinite(now.std) && iterations < maxIterations) {
    shift(pair, now.mean);
    pair.layer.weight.mul_(1 / now.std);
    now = look();
    iterations++;
    if (distance(now) < distance(best.moments)) best = { moments: now, restore: remember(pair) };
  }
  best.restore();
  return { before, after: best.moments, iterations, converged: distance(best.moments) < tolerance };
}

function observe(model: Module<readonly [Tensor], unknown>, batch: Tensor, module: AnyModule): Moments {
  let moments: Moments | undefined;
  const hooks = new Hooks([module], (_, __, output) => {
    if (!(output instanceof Tensor)) throw new ArgumentError("lsuv", `the output of ${module} is not a tensor.`);
    moments = { mean: output.mean().item(), std: output.std().item() };
  });
  hooks.use(() => model.forward(batch));
  if (moments === undefined) throw new ArgumentError("lsuv", `${module} takes no part in the model's forward.`);
  return moments;
}

function shiftable({ layer, output }: LsuvPair): boolean {
  return layer.bias !== undefined || (output instanceof GeneralRelu && output.sub !== undefined);
}

function shift({ layer, output }: LsuvPair, mean: number): void {
  if (output instanceof GeneralRelu && output.sub !== undefined) output.sub += mean;
  else layer.bias?.sub_(mean);
}

/** Keeps what is changed; the function it gives brings it back. */
function remember({ layer: { weight, bias }, output }: LsuvPair): () => void {
  const kept = { weight: weight.detach().clone(), bias: bias?.detach().clone() };
  const sub = output instanceof GeneralRelu ? output.sub : undefined;
  return () => {
    weight.copy_(kept.weight);
    if (kept.bias !== undefined) bias?.copy_(kept.bias);
    if (output instanceof GeneralRelu) output.sub = sub;
  };
}

function isWeighted(module: AnyModule): module is WeightedModule {
  return "weight" in module && module.weight instanceof Tensor && module.weight.rank > 1;
}

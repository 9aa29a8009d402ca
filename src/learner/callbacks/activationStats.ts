import { isFloatingPoint } from "../../backend/dtype.ts";
import { ArgumentError } from "../../backend/errors.ts";
import { Dropout } from "../../nn/dropout.ts";
import { Identity } from "../../nn/linear.ts";
import type { AnyModule } from "../../nn/module.ts";
import { Flatten } from "../../nn/reshape.ts";
import type { HookHandle } from "../../tensor/base.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { activationStatsChart } from "../../viz/charts/activationStats.ts";
import { colorDimChart } from "../../viz/charts/colorDim.ts";
import { deadChart } from "../../viz/charts/dead.ts";
import type { Figure } from "../../viz/figure.ts";
import type { ChartOptions } from "../../viz/theme.ts";
import type { Callback } from "../callback.ts";
import type { Learner } from "../learner.ts";
import { moments } from "./moments.ts";

/** What {@link ActivationStats} looks at. */
export interface ActivationStatsOptions {
  /** Which modules, by module and path. Default layers without sublayers, but for Dropout, Flatten and Identity. */
  readonly filter?: (module: AnyModule, path: string) => boolean;
  /** Looks at every n-th training batch only. Default 1. */
  readonly every?: number;
  /** Bins of the histograms. Default 40. */
  readonly bins?: number;
  /** Activations at the ends of the histograms; those outside are not counted. Default −10 to 10. */
  readonly range?: readonly [low: number, high: number];
  /** Activations of at most this size count as dead. Default 1e-3. */
  readonly nearZero?: number;
}

/** What was seen of one layer, an entry per step. */
export interface LayerActivations {
  /** Path of the layer in the model, and its class. */
  readonly name: string;
  readonly mean: number[];
  readonly std: number[];
  /** Share of activations near zero, 0 to 1. */
  readonly dead: number[];
  /** Numbers of activations by bin. */
  readonly histograms: Float64Array[];
}

/** Histograms and dead shares of larger outputs are taken from about this many of their elements. */
const sampleSize = 65_536;

/**
 * Watches the outputs of layers during training: mean, standard deviation, histogram and the share near zero.
 *
 * A layer that is used several times in a forward has an entry for each. Statistics go on over several fits. Layers are
 * let go of at the end of a fit, also when it was cancelled or failed.
 *
 * @throws {@link ArgumentError} for options outside their ranges, or when no module passes the filter.
 * @see miniai and nntrain: `ActivationStats`. Differs: histograms are of the values, not of their sizes.
 * @example
 * const data = new TensorDataset(randn([64, 4]), randint(0, 2, [64]));
 * const dls = DataLoaders.fromDatasets(data, data, { batchSize: 16 });
 * const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 2));
 * const stats = new ActivationStats();
 * await new Learner(dls, model, { loss: F.crossEntropy }).fit(1, { callbacks: [stats] });
 * stats.layers.map(({ name }) => name); // => ["0 Linear", "1 ReLU", "2 Linear"]
 * stats.layers[1].dead.length; // => 4
 */
export class ActivationStats implements Callback {
  readonly watches = true;
  /** One entry per layer, in the order of the model. */
  readonly layers: LayerActivations[] = [];
  readonly bins: number;
  readonly range: readonly [low: number, high: number];
  private readonly _filter: (module: AnyModule, path: string) => boolean;
  private readonly _every: number;
  private readonly _nearZero: number;
  private _handles: HookHandle[] = [];
  private _active = false;

  constructor(options: ActivationStatsOptions = {}) {
    const { filter = isPlainLayer, every = 1, bins = 40, range = [-10, 10], nearZero = 1e-3 } = options;
    for (const [name, value] of Object.entries({ every, bins })) {
      if (Number.isInteger(value) && value >= 1) continue;
      throw new ArgumentError("ActivationStats", `${name} must be a whole number from 1, got ${value}.`);
    }
    if (!(range[0] < range[1] && Number.isFinite(range[1] - range[0]))) {
      throw new ArgumentError("ActivationStats", `the range must rise, got ${range[0]} to ${range[1]}.`);
    }
    this._filter = filter;
    this._every = every;
    this.bins = bins;
    this.range = range;
    this._nearZero = nearZero;
  }

  beforeFit({ model }: Learner): void {
    const chosen = [...model.namedModules()].filter(([path, module]) => this._filter(module, path));
    if (chosen.length === 0) throw new ArgumentError("ActivationStats", "no module of the model passes the filter.");
    for (const [path, module] of chosen) {
      const layer = this.layerNamed(`${path} ${module.constructor.name}`.trim());
      this._handles.push(
        module.registerForwardHook((_, __, output) => {
          if (this._active && output instanceof Tensor && isFloatingPoint(output.dtype)) this.look(layer, output);
        }),
      );
    }
  }

  beforeBatch({ training, steps }: Learner): void {
    this._active = training && steps % this._every === 0;
  }

  afterPredict(): void {
    this._active = false;
  }

  cleanupBatch(): void {
    this._active = false;
  }

  cleanupFit(): void {
    for (const handle of this._handles) handle.remove();
    this._handles = [];
  }

  /** Mean and standard deviation of each layer over time. */
  plotStats(options: ChartOptions = {}): Figure {
    return activationStatsChart(this.layers, options);
  }

  /** Histograms of each layer over time, as an image. */
  colorDim(options: ChartOptions = {}): Figure {
    const { layers, range } = this;
    return colorDimChart(
      layers.map(({ name, histograms }) => ({ name, histograms, range })),
      options,
    );
  }

  /** Share of each layer's activations near zero over time. */
  deadChart(options: ChartOptions = {}): Figure {
    return deadChart(
      this.layers.map(({ name, dead }) => ({ name, values: dead })),
      options,
    );
  }

  private layerNamed(name: string): LayerActivations {
    const known = this.layers.find((layer) => layer.name === name);
    if (known !== undefined) return known;
    const layer = { name, mean: [], std: [], dead: [], histograms: [] };
    this.layers.push(layer);
    return layer;
  }

  private look(layer: LayerActivations, output: Tensor): void {
    const x = output.detach();
    const { mean, std } = moments(x);
    const values = sampled(x);
    const counts = new Float64Array(this.bins);
    const [low, high] = this.range;
    const scale = this.bins / (high - low);
    let small = 0;
    for (const value of values) {
      if (Math.abs(value) <= this._nearZero) small++;
      const bin = value === high ? this.bins - 1 : Math.floor((value - low) * scale);
      if (bin >= 0 && bin < this.bins) counts[bin]++;
    }
    layer.mean.push(mean);
    layer.std.push(std);
    layer.dead.push(values.length === 0 ? Number.NaN : small / values.length);
    layer.histograms.push(counts);
  }
}

/** All elements of a small tensor, evenly spread ones of a large one. */
function sampled(x: Tensor): ArrayLike<number> & Iterable<number> {
  const count = x.numel();
  if (count <= sampleSize) return x.toTypedArray();
  // An odd step does not fall in with sizes of axes, which are even as a rule.
  const step = Math.floor(count / sampleSize) | 1;
  return x.flatten().slice(0, 0, count, step).toTypedArray();
}

function isPlainLayer(module: AnyModule): boolean {
  const isSilent = module instanceof Dropout || module instanceof Flatten || module instanceof Identity;
  return !isSilent && module.children().length === 0;
}

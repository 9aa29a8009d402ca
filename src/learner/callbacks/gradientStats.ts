import { ArgumentError } from "../../backend/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { type LayerPanel, layerLines } from "../../viz/charts/layerLines.ts";
import type { Figure } from "../../viz/figure.ts";
import type { ChartOptions } from "../../viz/theme.ts";
import type { Callback } from "../callback.ts";
import type { Learner } from "../learner.ts";
import { moments } from "./moments.ts";

/** What {@link GradientStats} looks at. */
export interface GradientStatsOptions {
  /** Which parameters, by path. Default all. */
  readonly filter?: (path: string) => boolean;
  /** Looks at every n-th training batch only. Default 1. */
  readonly every?: number;
}

/** Figures of a tensor, an entry per step. */
export interface TensorStats {
  readonly mean: number[];
  readonly std: number[];
  /** Root of the sum of squares. */
  readonly norm: number[];
}

/** What was seen of one parameter; NaN in the gradient's figures where it had none. */
export interface ParameterStats {
  /** Path of the parameter in the model. */
  readonly name: string;
  readonly weight: TensorStats;
  readonly gradient: TensorStats;
}

/**
 * Watches parameters and their gradients during training: mean, standard deviation and norm, just before each step.
 *
 * Gradients are seen as the optimizer gets them, after clipping.
 *
 * @throws {@link ArgumentError} when `every` is not a whole number from 1.
 * @example
 * const data = new TensorDataset(randn([64, 4]), randint(0, 2, [64]));
 * const dls = DataLoaders.fromDatasets(data, data, { batchSize: 16 });
 * const stats = new GradientStats({ every: 2 });
 * await new Learner(dls, new nn.Linear(4, 2), { loss: F.crossEntropy }).fit(1, { callbacks: [stats] });
 * stats.parameters.map(({ name, gradient }) => [name, gradient.norm.length]); // => [["weight", 2], ["bias", 2]]
 */
export class GradientStats implements Callback {
  readonly order = 90;
  readonly watches = true;
  /** One entry per parameter, in the order of the model. */
  readonly parameters: ParameterStats[] = [];
  private readonly _filter: (path: string) => boolean;
  private readonly _every: number;

  constructor({ filter = () => true, every = 1 }: GradientStatsOptions = {}) {
    if (!Number.isInteger(every) || every < 1) {
      throw new ArgumentError("GradientStats", `every must be a whole number from 1, got ${every}.`);
    }
    this._filter = filter;
    this._every = every;
  }

  beforeStep({ model, steps }: Learner): void {
    if (steps % this._every !== 0) return;
    for (const [name, parameter] of model.namedParameters()) {
      if (!this._filter(name)) continue;
      const { weight, gradient } = this.parameterNamed(name);
      look(weight, parameter.detach());
      look(gradient, parameter.grad);
    }
  }

  /** Norms of weights and gradients over time, and standard deviations of gradients. */
  plotStats({ title = "Weights and gradients", width = 320, height = 240 }: ChartOptions = {}): Figure {
    const panel = (yTitle: string, values: (stats: ParameterStats) => number[]): LayerPanel => ({
      series: this.parameters.map((stats) => ({ name: stats.name, values: values(stats) })),
      yTitle,
    });
    const panels = [
      panel("norm of weights", ({ weight }) => weight.norm),
      panel("norm of gradients", ({ gradient }) => gradient.norm),
      panel("standard deviation of gradients", ({ gradient }) => gradient.std),
    ];
    return layerLines(panels, { title, width, height });
  }

  private parameterNamed(name: string): ParameterStats {
    const known = this.parameters.find((stats) => stats.name === name);
    if (known !== undefined) return known;
    const stats = { name, weight: { mean: [], std: [], norm: [] }, gradient: { mean: [], std: [], norm: [] } };
    this.parameters.push(stats);
    return stats;
  }
}

function look(stats: TensorStats, x: Tensor | undefined): void {
  const { mean, std } = x === undefined ? { mean: Number.NaN, std: Number.NaN } : moments(x);
  stats.mean.push(mean);
  stats.std.push(std);
  // Σx² = n·(mean² + variance): no further pass
  stats.norm.push(Math.sqrt((x?.numel() ?? 0) * (mean * mean + std * std)));
}

import type { Figure } from "../figure.ts";
import type { Numbers } from "../series.ts";
import type { ChartOptions } from "../theme.ts";
import { layerLines } from "./layerLines.ts";

/** Statistics of a layer's output, a number per step. */
export interface LayerStats {
  name: string;
  mean: Numbers;
  std: Numbers;
}

/**
 * Mean and standard deviation of each layer's activations over time, in two panels.
 *
 * A healthy start has means near 0 and deviations near 1 in every layer; deviations that climb and fall back are the
 * mark of a bad initialisation or too high a learning rate.
 *
 * @example
 * activationStatsChart([{ name: "conv1", mean: [0, 0.1], std: [1, 0.9] }]);
 */
export function activationStatsChart(layers: readonly LayerStats[], options: ChartOptions = {}): Figure {
  const { title = "Activations", width = 320, height = 240 } = options;
  const means = layers.map(({ name, mean }) => ({ name, values: mean }));
  const deviations = layers.map(({ name, std }) => ({ name, values: std }));
  const panels = [
    { series: means, yTitle: "mean" },
    { series: deviations, yTitle: "standard deviation" },
  ];
  return layerLines(panels, { title, width, height });
}

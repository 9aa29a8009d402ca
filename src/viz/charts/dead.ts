import type { Figure } from "../figure.ts";
import type { ChartOptions } from "../theme.ts";
import { type LayerPanel, type LayerSeries, layerLines } from "./layerLines.ts";

/**
 * Share of each layer's activations that are near zero, over time.
 *
 * @param layers - For each layer its shares per step, 0 to 1.
 * @example
 * deadChart([{ name: "conv1", values: [0.2, 0.4, 0.9] }]);
 */
export function deadChart(layers: readonly LayerSeries[], options: ChartOptions = {}): Figure {
  const { title = "Activations near zero", width = 560, height = 260 } = options;
  const panel: LayerPanel = { series: layers, yTitle: "share near zero", format: "%", domain: [0, 1] };
  return layerLines([panel], { title, width, height });
}

import type { Figure } from "../figure.ts";
import { linePoints, type Numbers } from "../series.ts";
import { base, type ChartOptions } from "../theme.ts";
import { checked } from "./checked.ts";

/** A layer's name and a number per step. */
export interface LayerSeries {
  name: string;
  values: Numbers;
}

/** A panel of lines, one per layer. */
export interface LayerPanel {
  series: readonly LayerSeries[];
  yTitle: string;
  /** Format of the vertical axis, as d3 writes it. */
  format?: string;
  /** Lower and upper end of the vertical axis. Default: the data's. */
  domain?: [number, number];
}

/**
 * Panels side by side, one line per layer, coloured from dark (first layer) to bright (last), since the order of the
 * layers matters more than telling any two apart.
 */
export function layerLines(panels: readonly LayerPanel[], options: Required<ChartOptions>): Figure {
  const { title, width, height } = options;
  return checked({
    ...base,
    title,
    hconcat: panels.map(({ series, yTitle, format = "", domain }) => ({
      width,
      height,
      data: { values: series.flatMap(({ name, values }) => linePoints(values).map((p) => ({ ...p, layer: name }))) },
      mark: { type: "line", strokeWidth: 1.5 },
      encoding: {
        x: { field: "x", type: "quantitative", title: "step", scale: { nice: false }, axis: { grid: false } },
        y: { field: "y", type: "quantitative", title: yTitle, axis: { format }, scale: domain ? { domain } : {} },
        color: {
          field: "layer",
          type: "nominal",
          title: "layer",
          sort: series.map(({ name }) => name),
          scale: { scheme: { name: "viridis", extent: [0, 0.9] } },
        },
      },
    })),
  });
}

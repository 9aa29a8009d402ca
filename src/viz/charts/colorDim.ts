import { ShapeError } from "../../backend/errors.ts";
import type { Figure } from "../figure.ts";
import { colorize, pngUrl } from "../pixels.ts";
import type { Numbers } from "../series.ts";
import { base, type ChartOptions } from "../theme.ts";
import { checked } from "./checked.ts";

/** Histograms of a layer's activations over time. */
export interface LayerHistograms {
  name: string;
  /** A histogram per step: counts per bin, low values first, the same number of bins each. */
  histograms: readonly Numbers[];
  /** Activations at the lower edge of the first bin and the upper edge of the last. Default: bins are numbered. */
  range?: readonly [number, number];
}

/** Columns of an image: more are not told apart at its width. */
const columnLimit = 400;

/**
 * The "colourful dimension" of each layer: a column per step, a cell per histogram bin, brighter (logarithmically)
 * where more activations fall.
 *
 * A good run fills the image smoothly from the start; repeated climbs and collapses to one bright line at zero show
 * training that goes wrong. More than 400 steps are averaged into 400 columns.
 *
 * @throws {@link ShapeError} when the histograms of a layer differ in their number of bins.
 * @see Howard, practical deep learning for coders part 2, lesson 10 (`color_dim`)
 * @example
 * colorDimChart([{ name: "conv1", histograms: [[9, 1, 0], [4, 4, 2]], range: [0, 3] }]);
 */
export function colorDimChart(layers: readonly LayerHistograms[], options: ChartOptions = {}): Figure {
  const { title = "Activation histograms", width = 300, height = 160 } = options;
  const shown = layers.filter(({ histograms }) => histograms.length > 0 && histograms[0].length > 0);
  return checked({
    ...base,
    title,
    usermeta: { pixelated: true },
    columns: Math.min(2, Math.max(1, shown.length)),
    concat: shown.map((layer) => {
      const steps = layer.histograms.length;
      const [low, high] = layer.range ?? [0, layer.histograms[0].length];
      return {
        title: { text: layer.name, fontSize: 12, offset: 4 },
        width,
        height,
        data: { values: [{ url: heatMap(layer), left: 0, right: steps, low, high }] },
        mark: { type: "image", aspect: false },
        encoding: {
          url: { field: "url", type: "nominal" },
          x: {
            field: "left",
            type: "quantitative",
            title: "step",
            scale: { domain: [0, steps], nice: false },
            axis: { grid: false },
          },
          x2: { field: "right" },
          y: {
            field: "low",
            type: "quantitative",
            title: layer.range ? "activation" : "bin",
            scale: { domain: [low, high], nice: false, zero: false },
            axis: { grid: false },
          },
          y2: { field: "high" },
        },
      };
    }),
  });
}

/** The image of a layer, high bins on top. */
function heatMap({ name, histograms }: LayerHistograms): string {
  const bins = histograms[0].length;
  const columns = Math.min(columnLimit, histograms.length);
  const cells = new Float64Array(bins * columns);
  // Columns of uneven numbers of steps hold averages, or they would show as stripes.
  const first = (column: number): number => Math.ceil((column * histograms.length) / columns);
  const stepsOf = (column: number): number => first(column + 1) - first(column);
  for (const [step, counts] of histograms.entries()) {
    if (counts.length !== bins) {
      throw new ShapeError(
        "colorDimChart",
        `layer "${name}" has ${bins} bins at step 0 but ${counts.length} at step ${step}.`,
      );
    }
    const column = Math.floor((step * columns) / histograms.length);
    for (let b = 0; b < bins; b++) {
      if (counts[b] > 0 && Number.isFinite(counts[b]))
        cells[(bins - 1 - b) * columns + column] += counts[b] / stepsOf(column);
    }
  }
  let most = 0;
  for (let i = 0; i < cells.length; i++) {
    cells[i] = Math.log1p(cells[i]);
    most = Math.max(most, cells[i]);
  }
  if (most > 0) for (let i = 0; i < cells.length; i++) cells[i] /= most;
  return pngUrl(colorize(cells), columns, bins, 3);
}

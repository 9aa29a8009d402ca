import { ArgumentError } from "../../backend/errors.ts";
import type { Figure } from "../figure.ts";
import { finiteRange, type Numbers } from "../series.ts";
import { base, type ChartOptions } from "../theme.ts";
import { checked } from "./checked.ts";

export interface HistogramChartOptions extends ChartOptions {
  /** Number of bins of equal width, 1 to 10,000. Default 40. */
  bins?: number;
  /** Title of the horizontal axis. Default "value". */
  xTitle?: string;
}

/**
 * How often values of each size occur; values that are not finite are counted in the subtitle.
 *
 * @throws {@link ArgumentError} when `bins` is not a whole number from 1 to 10,000.
 * @example
 * histogramChart([0.1, 0.2, 0.2, 0.9], { bins: 4, xTitle: "weight" });
 */
export function histogramChart(values: Numbers, options: HistogramChartOptions = {}): Figure {
  const { title = "Histogram", width = 560, height = 260, bins = 40, xTitle = "value" } = options;
  if (!Number.isInteger(bins) || bins < 1 || bins > 10_000) {
    throw new ArgumentError("histogramChart", `bins must be a whole number from 1 to 10,000, got ${bins}.`);
  }
  const { rows, skipped } = countBins(values, bins);
  return checked({
    ...base,
    title: skipped > 0 ? { text: title, subtitle: `${skipped} of ${values.length} values are not finite` } : title,
    width,
    height,
    data: { values: rows },
    mark: { type: "bar", binSpacing: bins > 100 ? 0 : 1 },
    encoding: {
      x: { field: "from", type: "quantitative", bin: "binned", title: xTitle, axis: { grid: false } },
      x2: { field: "to" },
      y: { field: "count", type: "quantitative", title: "count" },
    },
  });
}

function countBins(values: Numbers, bins: number): { rows: object[]; skipped: number } {
  const range = finiteRange(values);
  if (!range) return { rows: [], skipped: values.length };
  let [low, high] = range;
  if (low === high) {
    const half = Math.abs(low) / 2 || 0.5;
    low -= half;
    high += half;
  }
  const counts = new Float64Array(bins);
  // Parts of the ends, here and in edge(), stay finite where their difference would not.
  const width = high / bins - low / bins;
  let skipped = 0;
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) counts[Math.min(bins - 1, Math.floor(values[i] / width - low / width))]++;
    else skipped++;
  }
  const edge = (i: number): number => low * (1 - i / bins) + high * (i / bins);
  const rows = Array.from(counts, (count, i) => ({ from: edge(i), to: edge(i + 1), count }));
  return { rows, skipped };
}

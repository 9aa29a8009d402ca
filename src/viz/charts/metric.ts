import type { Figure } from "../figure.ts";
import { linePoints, type Numbers } from "../series.ts";
import { base, type ChartOptions } from "../theme.ts";
import { checked } from "./checked.ts";

export interface MetricChartOptions extends ChartOptions {
  /** Title of the vertical axis. Default "value". */
  yTitle?: string;
  /** Number of the first epoch. Default 0. */
  firstEpoch?: number;
}

/**
 * One line per named metric, one point per epoch.
 *
 * @param metrics - Name → a value per epoch; a value that is not finite leaves a gap.
 * @example
 * metricChart({ "train accuracy": [0.91, 0.95], "valid accuracy": [0.93, 0.95] }, { yTitle: "accuracy" });
 */
export function metricChart(metrics: Readonly<Record<string, Numbers>>, options: MetricChartOptions = {}): Figure {
  const { title = "Metrics", width = 560, height = 300, yTitle = "value", firstEpoch = 0 } = options;
  const names = Object.keys(metrics);
  const values = names.flatMap((name) =>
    linePoints(metrics[name]).map(({ x, y }) => ({ x: x + firstEpoch, y, series: name })),
  );
  return checked({
    ...base,
    title,
    width,
    height,
    data: { values },
    mark: { type: "line", point: { size: 40, filled: true } },
    encoding: {
      x: {
        field: "x",
        type: "quantitative",
        title: "epoch",
        scale: { nice: false, zero: false },
        axis: { grid: false, tickMinStep: 1, format: "d" },
      },
      y: { field: "y", type: "quantitative", title: yTitle, scale: { zero: false } },
      color: { field: "series", type: "nominal", title: null, sort: names, legend: { orient: "top" } },
    },
  });
}

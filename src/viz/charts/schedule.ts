import type { Figure } from "../figure.ts";
import { linePoints, type Numbers } from "../series.ts";
import { base, type ChartOptions } from "../theme.ts";
import { checked } from "./checked.ts";

/**
 * The course of hyper-parameters over the steps of a training run, a panel for each, two panels in a row.
 *
 * @param hyperParameters - Name → a value per step.
 * @example
 * scheduleChart({ lr: [0.1, 0.5, 1, 0.5], momentum: [0.95, 0.9, 0.85, 0.9] });
 */
export function scheduleChart(hyperParameters: Readonly<Record<string, Numbers>>, options: ChartOptions = {}): Figure {
  const names = Object.keys(hyperParameters);
  const { title = "Schedule", width = names.length > 1 ? 320 : 560, height = 220 } = options;
  return checked({
    ...base,
    title,
    columns: 2,
    concat: names.map((name) => ({
      width,
      height,
      data: { values: linePoints(hyperParameters[name]) },
      mark: { type: "line" },
      encoding: {
        x: { field: "x", type: "quantitative", title: "step", scale: { nice: false }, axis: { grid: false } },
        y: { field: "y", type: "quantitative", title: name, scale: { zero: false } },
      },
    })),
  });
}

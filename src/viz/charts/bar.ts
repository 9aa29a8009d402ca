import type { Figure } from "../figure.ts";
import { base, type ChartOptions } from "../theme.ts";
import { checked } from "./checked.ts";

export interface BarChartOptions extends ChartOptions {
  /** Title of the value axis. Default "value". */
  xTitle?: string;
}

/**
 * Horizontal bars with their values, in the order given; `height` is of one bar.
 *
 * @param values - Label → value; a value that is not finite has no bar.
 * @example
 * barChart({ data: 0.1, forward: 0.35, backward: 0.45, step: 0.1 }, { xTitle: "share of time" });
 */
export function barChart(values: Readonly<Record<string, number>>, options: BarChartOptions = {}): Figure {
  const { title = "Values", width = 460, height = 24, xTitle = "value" } = options;
  const rows = Object.entries(values).map(([label, value]) => ({
    label,
    value: Number.isFinite(value) ? value : null,
    text: Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value),
  }));
  const y = { field: "label", type: "nominal", sort: null, title: null } as const;
  return checked({
    ...base,
    title,
    width,
    height: { step: height },
    data: { values: rows },
    layer: [
      {
        mark: { type: "bar" },
        encoding: { x: { field: "value", type: "quantitative", title: xTitle }, y },
      },
      {
        mark: { type: "text", align: "left", dx: 4, color: "#374151" },
        encoding: {
          x: { field: "value", type: "quantitative" },
          y,
          text: { field: "text", type: "nominal" },
        },
      },
    ],
  });
}

import type { Figure } from "../figure.ts";
import { linePoints, type Numbers, type Point, smooth } from "../series.ts";
import { base, type ChartOptions, palette } from "../theme.ts";
import { checked } from "./checked.ts";

export interface LossData {
  /** Training loss of each iteration. */
  train: Numbers;
  /** Smoothed training loss of each iteration. Default: `train` averaged with weight `smoothing`. */
  smooth?: Numbers;
  /** Validation losses, each at the number of iterations done when it was measured. */
  valid?: readonly { iteration: number; loss: number }[];
}

export interface LossChartOptions extends ChartOptions {
  /** Logarithmic loss axis; losses of 0 and below are left out. Default false. */
  log?: boolean;
  /** Weight of the past in the smoothed line, 0 (no smoothed line) to below 1. Default 0.98. */
  smoothing?: number;
}

interface Line {
  name: string;
  color: string;
  points: Point[];
}

/** Keeps the axes of a chart without data. */
const noLine: Line = { name: "training", color: palette.sky, points: [] };

/**
 * Training loss per iteration, its smoothed course, and the validation loss after each epoch.
 *
 * Long series are thinned to the extremes of 1,000 buckets; losses that are not finite leave gaps.
 *
 * @example
 * const figure = lossChart({ train: [2.3, 1.2, 0.8, 0.6], valid: [{ iteration: 4, loss: 0.7 }] });
 * figure.toString(); // => "Figure: Loss"
 */
export function lossChart(data: LossData, options: LossChartOptions = {}): Figure {
  const { title = "Loss", width = 560, height = 300, log = false, smoothing = 0.98 } = options;
  const lines = lossLines(data, log, smoothing);
  // A logarithmic axis without any value has no place for its ticks.
  const isLog = log && lines.length > 0;
  return checked({
    ...base,
    title,
    width,
    height,
    layer: (lines.length > 0 ? lines : [noLine]).map(({ name, points }) => ({
      data: { values: points },
      mark: {
        type: "line",
        strokeWidth: name === "training" ? 1 : 2,
        opacity: name === "training" ? 0.6 : 1,
        point: name === "validation" ? { size: 40, filled: true } : false,
      },
      encoding: {
        x: { field: "x", type: "quantitative", title: "iteration", axis: { grid: false } },
        y: { field: "y", type: "quantitative", title: "loss", scale: isLog ? { type: "log" } : { zero: false } },
        color: {
          datum: name,
          type: "nominal",
          title: null,
          scale: { domain: lines.map((line) => line.name), range: lines.map((line) => line.color) },
          legend: { orient: "top", symbolOpacity: 1, symbolStrokeWidth: 2 },
        },
      },
    })),
  });
}

/** The lines that have anything to show. */
function lossLines({ train, smooth: smoothed, valid = [] }: LossData, positive: boolean, smoothing: number): Line[] {
  const lines: Line[] = [{ name: "training", color: palette.sky, points: linePoints(train, { positive }) }];
  if (smoothed || (smoothing > 0 && train.length > 20)) {
    const points = linePoints(smoothed ?? smooth(train, smoothing), { positive });
    lines.push({ name: "training, smoothed", color: palette.blue, points });
  }
  const x = valid.map(({ iteration }) => iteration);
  const losses = valid.map(({ loss }) => loss);
  lines.push({ name: "validation", color: palette.orange, points: linePoints(losses, { x, positive }) });
  return lines.filter(({ points }) => points.some(({ y }) => y !== null));
}

import { ShapeError } from "../../backend/errors.ts";
import type { Figure } from "../figure.ts";
import type { Numbers } from "../series.ts";
import { base, type ChartOptions } from "../theme.ts";
import { checked } from "./checked.ts";

export interface ConfusionChartOptions extends ChartOptions {
  /** Names of the classes. Default 0, 1, 2, … */
  classes?: readonly string[];
}

/** With more classes the numbers no longer fit their cells. */
const classesWithCounts = 30;

/**
 * Confusion matrix: a row per true class, a column per predicted class, coloured by the share of the row, with the
 * counts in the cells (up to 30 classes).
 *
 * Shapes: counts `[classes, classes]`; `counts[i][j]` is how often true class i was predicted as j.
 *
 * @throws {@link ShapeError} when the matrix is not square or the names are not one per class.
 * @example
 * confusionChart([[48, 2], [5, 45]], { classes: ["cat", "dog"] });
 */
export function confusionChart(counts: readonly Numbers[], options: ConfusionChartOptions = {}): Figure {
  const n = counts.length;
  const cell = n <= 12 ? 40 : Math.max(6, Math.round(520 / n));
  const { title = "Confusion matrix", width = Math.max(1, n) * cell, height = Math.max(1, n) * cell } = options;
  const classes = options.classes ?? counts.map((_, i) => String(i));
  checkSquare(counts, classes);
  const values = counts.flatMap((row, i) => cellsOfRow(row, i));
  // Cells are placed by number, so that two classes of one name stay two rows.
  const axis = { labelExpr: `${JSON.stringify(classes)}[datum.value]`, ticks: false, domain: false } as const;
  const x = { field: "predicted", type: "ordinal", title: "predicted" } as const;
  const y = { field: "actual", type: "ordinal", title: "actual" } as const;
  const text = {
    mark: { type: "text", fontSize: Math.min(11, cell * 0.32) },
    encoding: {
      x,
      y,
      text: { field: "count", type: "quantitative", format: ".3~s" },
      color: { condition: { test: "datum.share > 0.5", value: "white" }, value: "#374151" },
    },
  } as const;
  const rectangles = {
    mark: { type: "rect", stroke: "white", strokeWidth: n <= classesWithCounts ? 1 : 0 },
    encoding: {
      x: { ...x, axis: { ...axis, labelAngle: classes.some((name) => name.length > 4) ? -45 : 0 } },
      y: { ...y, axis },
      color: {
        field: "share",
        type: "quantitative",
        title: "share of row",
        scale: { range: ["#F3F6FB", "#6BAED6", "#08519C"], domain: [0, 1] },
        legend: { format: "%" },
      },
    },
  } as const;
  const layer = n <= classesWithCounts ? [rectangles, text] : [rectangles];
  return checked({ ...base, title, width, height, data: { values }, layer });
}

function checkSquare(counts: readonly Numbers[], classes: readonly string[]): void {
  const n = counts.length;
  const wrong = counts.findIndex((row) => row.length !== n);
  if (wrong >= 0) {
    throw new ShapeError(
      "confusionChart",
      `the matrix has ${n} rows but row ${wrong} has ${counts[wrong].length} numbers.`,
    );
  }
  if (classes.length !== n) {
    throw new ShapeError("confusionChart", `${classes.length} class names for ${n} classes. Give one name per class.`);
  }
}

function cellsOfRow(row: Numbers, actual: number): object[] {
  const known = Array.from(row, (count) => (Number.isFinite(count) ? count : 0));
  const total = known.reduce((sum, count) => sum + count, 0);
  return known.map((count, predicted) => ({ actual, predicted, count, share: total > 0 ? count / total : 0 }));
}

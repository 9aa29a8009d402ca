import type { Figure } from "../figure.ts";
import { linePoints, type Numbers } from "../series.ts";
import { base, type ChartOptions, palette } from "../theme.ts";
import { checked } from "./checked.ts";

/** Learning rates that a rule picked from a finder run. */
export interface FinderSuggestions {
  /** Where the loss has done half of its fall. */
  valley?: number;
  /** Where the loss falls fastest. */
  steepest?: number;
  /** Where the loss is smallest; use a tenth of it or less. */
  minimum?: number;
}

export interface FinderData {
  /** Learning rate of each step, above 0 and rising. */
  lrs: Numbers;
  /** Smoothed loss of each step. */
  losses: Numbers;
  suggestions?: FinderSuggestions;
}

const markers = {
  valley: { color: palette.orange, shape: "circle" },
  steepest: { color: palette.green, shape: "square" },
  minimum: { color: palette.pink, shape: "diamond" },
} as const;

/**
 * Loss against the learning rate of a finder run, with the suggested rates marked on the curve.
 *
 * The loss axis ends a little above the largest loss before the minimum, so that the final blow-up does not flatten
 * the valley.
 *
 * @see Smith 2017, section 3.3, https://arxiv.org/abs/1506.01186
 * @example
 * finderChart({ lrs: [1e-3, 1e-2, 0.1, 1], losses: [2.3, 2, 0.9, 4], suggestions: { valley: 0.03 } });
 */
export function finderChart({ lrs, losses, suggestions = {} }: FinderData, options: ChartOptions = {}): Figure {
  const { title = "Learning-rate finder", width = 560, height = 300 } = options;
  const points = linePoints(losses, { x: lrs }).filter((p) => p.x > 0);
  const names = (["valley", "steepest", "minimum"] as const).filter((name) => (suggestions[name] ?? 0) > 0);
  const marks = names.map((name) => {
    const lr = suggestions[name] ?? 0;
    return { x: lr, y: lossAt(lr, lrs, losses), label: `${name} ${formatRate(lr)}` };
  });
  const domain = lossDomain(losses);
  const scale = domain ? { zero: false, domain } : { zero: false };
  const x = { field: "x", type: "quantitative", title: "learning rate", scale: { type: "log", nice: false } } as const;
  const y = { field: "y", type: "quantitative", title: "loss, smoothed", scale } as const;
  const curve = {
    data: { values: points },
    mark: { type: "line", color: palette.blue, clip: true },
    encoding: { x: { ...x, axis: { grid: false, format: "~g" } }, y },
  } as const;
  const labels = marks.map((m) => m.label);
  const suggested = {
    data: { values: marks },
    mark: { type: "point", filled: true, size: 130, opacity: 1, stroke: "white", strokeWidth: 1.5 },
    encoding: {
      x,
      y,
      color: {
        field: "label",
        type: "nominal",
        title: null,
        scale: { domain: labels, range: names.map((name) => markers[name].color) },
        legend: { orient: "top" },
      },
      shape: {
        field: "label",
        type: "nominal",
        scale: { domain: labels, range: names.map((name) => markers[name].shape) },
      },
    },
  } as const;
  return checked({ ...base, title, width, height, layer: marks.length > 0 ? [curve, suggested] : [curve] });
}

/** Smallest loss to a little above the largest loss before it; undefined (all of the data) when none is finite. */
function lossDomain(losses: Numbers): [number, number] | undefined {
  let least = -1;
  for (let i = 0; i < losses.length; i++) {
    if (Number.isFinite(losses[i]) && (least < 0 || losses[i] < losses[least])) least = i;
  }
  if (least < 0) return undefined;
  let high = losses[least];
  for (let i = 0; i < least; i++) if (Number.isFinite(losses[i])) high = Math.max(high, losses[i]);
  const room = high - losses[least] || Math.abs(high) || 1;
  return [losses[least] - 0.05 * room, high + 0.25 * room];
}

/** Loss at the step whose learning rate is nearest by ratio; null where none is finite. */
function lossAt(lr: number, lrs: Numbers, losses: Numbers): number | null {
  let nearest: number | null = null;
  let distance = Number.POSITIVE_INFINITY;
  for (let i = 0; i < Math.min(lrs.length, losses.length); i++) {
    const d = Math.abs(Math.log(lrs[i] / lr));
    if (Number.isFinite(losses[i]) && d < distance) {
      distance = d;
      nearest = losses[i];
    }
  }
  return nearest;
}

function formatRate(lr: number): string {
  return lr >= 0.001 && lr < 1000 ? String(Number(lr.toPrecision(2))) : lr.toExponential(1);
}

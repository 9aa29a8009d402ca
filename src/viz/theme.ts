import type { Config } from "vega-lite";

/** What every chart takes; sizes are of the plotting area, or of one panel where there are several. */
export interface ChartOptions {
  /** Heading above the chart. Each chart has a fitting default. */
  title?: string;
  /** Width in pixels. */
  width?: number;
  /** Height in pixels. */
  height?: number;
}

/** Colours that people with any common colour blindness can tell apart. */
export const palette = {
  blue: "#0072B2",
  orange: "#D55E00",
  green: "#009E73",
  pink: "#CC79A7",
  sky: "#56B4E9",
  amber: "#E69F00",
  grey: "#6B7280",
  ink: "#1F2937",
  red: "#C81E1E",
} as const;

/**
 * Fonts by preference. DejaVu Sans comes before the generic name because it is often the only family on a server, and
 * some renderers map the generic name to a font that is not there.
 */
export const fontFamily = "Helvetica Neue, Arial, Liberation Sans, DejaVu Sans, Noto Sans, sans-serif";

/** Look shared by all charts. */
export const theme = {
  font: fontFamily,
  view: { stroke: null },
  title: {
    anchor: "start",
    color: palette.ink,
    fontSize: 15,
    fontWeight: 600,
    offset: 12,
    subtitleColor: palette.grey,
  },
  axis: {
    domainColor: "#9CA3AF",
    gridColor: "#E5E7EB",
    labelColor: "#374151",
    labelFlush: false,
    labelFontSize: 11,
    tickColor: "#9CA3AF",
    titleColor: palette.ink,
    titleFontSize: 12,
    titleFontWeight: 500,
    titlePadding: 10,
  },
  legend: {
    labelColor: palette.ink,
    labelFontSize: 11,
    titleColor: palette.ink,
    titleFontSize: 12,
    titleFontWeight: 500,
  },
  header: { labelColor: palette.ink, labelFontSize: 12, titleFontSize: 12 },
  range: {
    category: [palette.blue, palette.orange, palette.green, palette.pink, palette.sky, palette.amber, palette.grey],
    ramp: { scheme: "viridis" },
    heatmap: { scheme: "viridis" },
  },
  line: { strokeWidth: 2, strokeJoin: "round" },
  mark: { color: palette.blue },
} as const satisfies Config;

/** Top-level part of every specification. */
export const base = {
  $schema: "https://vega.github.io/schema/vega-lite/v6.json",
  background: "white",
  padding: 12,
  config: theme,
} as const;

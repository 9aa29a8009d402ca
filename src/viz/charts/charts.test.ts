import { parse, View as VegaView, type View, Warn } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { describe, expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../../backend/errors.ts";
import {
  activationStatsChart,
  barChart,
  colorDimChart,
  confusionChart,
  deadChart,
  type Figure,
  finderChart,
  histogramChart,
  imageGrid,
  lossChart,
  metricChart,
  scheduleChart,
} from "../index.ts";

const { NaN: nan, POSITIVE_INFINITY: inf, NEGATIVE_INFINITY: minusInf } = Number;
const wave = (n: number, phase = 0): number[] => Array.from({ length: n }, (_, i) => 1.5 + Math.sin(i / 10 + phase));
const bad = [1, nan, 2, inf, minusInf, 3];

const figures: Record<string, () => Figure> = {
  loss: () =>
    lossChart({
      train: wave(100),
      valid: [
        { iteration: 50, loss: 1 },
        { iteration: 100, loss: 0.5 },
      ],
    }),
  "loss, log": () => lossChart({ train: wave(5000) }, { log: true }),
  "loss, bad values": () =>
    lossChart({ train: [...bad, 0, -1], smooth: bad, valid: [{ iteration: 1, loss: nan }] }, { log: true }),
  "loss, empty": () => lossChart({ train: [] }),
  "loss, empty log": () => lossChart({ train: [nan] }, { log: true }),
  metric: () => metricChart({ train: [0.9, 0.95], valid: [0.91, nan] }, { yTitle: "accuracy" }),
  "metric, none": () => metricChart({}),
  schedule: () => scheduleChart({ lr: wave(50), momentum: wave(50, 3), eps: bad }),
  finder: () =>
    finderChart({
      lrs: [1e-4, 1e-3, 1e-2, 0.1, 1],
      losses: [2, 2, 1, 0.5, 9],
      suggestions: { valley: 0.01, steepest: 0.003, minimum: 0.1 },
    }),
  "finder, bad values": () =>
    finderChart({ lrs: [0, nan, 1e-3, 1e-2], losses: [1, 2, nan, inf], suggestions: { valley: nan } }),
  histogram: () => histogramChart(wave(1000)),
  "histogram, bad values": () => histogramChart([...bad, 3e38, -3e38]),
  "histogram, one value": () => histogramChart([0, 0, 0]),
  "histogram, empty": () => histogramChart([]),
  stats: () =>
    activationStatsChart([
      { name: "a", mean: wave(30), std: bad },
      { name: "b", mean: wave(30), std: wave(30) },
    ]),
  dead: () => deadChart([{ name: "a", values: [0.1, 0.2, nan] }]),
  colorDim: () =>
    colorDimChart([
      {
        name: "a",
        histograms: [
          [1, 2, nan],
          [3, 0, inf],
        ],
        range: [0, 1],
      },
      { name: "none", histograms: [] },
    ]),
  "colorDim, none": () => colorDimChart([]),
  confusion: () =>
    confusionChart(
      [
        [5, 1],
        [0, nan],
      ],
      { classes: ["cat", 'the "dog"'] },
    ),
  "confusion, many": () => confusionChart(Array.from({ length: 40 }, (_, i) => wave(40, i))),
  images: () =>
    imageGrid(
      { pixels: [0, 0.5, 1, nan, 2, -1, inf, 0], shape: [2, 2, 2] },
      { titles: ["ok", "no"], wrong: [false, true] },
    ),
  "images, none": () => imageGrid({ pixels: [], shape: [0, 28, 28] }),
  bar: () => barChart({ first: 2, second: nan, third: -1 }),
};

describe.each(Object.entries(figures))("%s", (_, make) => {
  test("compiles and draws without a warning", async () => {
    const { svg, warnings } = await draw(make());
    expect(warnings).toEqual([]);
    expect(svg).toMatch(/^<svg /);
    // Labels for screen readers name the ends of an empty axis; what is drawn must be numbers.
    expect(svg.replaceAll(/aria-label="[^"]*"/g, "").match(/NaN|undefined|Infinity/g)).toBeNull();
  });
});

test("the loss chart shows its three lines, thinned", async () => {
  const figure = lossChart({ train: wave(100_000), valid: [{ iteration: 7, loss: 1 }] }, { title: "My loss" });
  const svg = await figure.svg();
  for (const text of ["My loss", "iteration", "loss", "training", "training, smoothed", "validation"]) {
    expect(svg).toContain(`>${text}<`);
  }
  expect(svg.match(/mark-line/g)).toHaveLength(3);
  const rows = dataRows(figure);
  expect(rows.filter((row) => "x" in row).length).toBeLessThanOrEqual(4001);
  expect(rows.filter((row) => "x" in row).length).toBeGreaterThan(3000);
});

test("the finder marks its suggestions on the curve", async () => {
  const data = { lrs: [1e-3, 1e-2, 0.1, 1], losses: [2, 1, 0.5, 80], suggestions: { valley: 0.012, minimum: 0.1 } };
  const figure = finderChart(data);
  expect(dataRows(figure)).toContainEqual({ x: 0.012, y: 1, label: "valley 0.012" });
  const svg = await figure.svg();
  expect(svg).toContain(">valley 0.012<");
  expect(svg).toContain(">minimum 0.1<");
  expect(svg).not.toContain("steepest");
  expect(svg).not.toContain(">80<"); // the blow-up does not stretch the axis
});

test("histogram bins hold every finite value once", () => {
  const values = [...wave(1000), nan, inf];
  const rows = dataRows(histogramChart(values, { bins: 16 }));
  expect(rows).toHaveLength(16);
  expect(rows.reduce((sum, row) => sum + Number(row.count), 0)).toBe(1000);
  expect(rows[0].from).toBeCloseTo(Math.min(...wave(1000)), 12);
  expect(rows[15].to).toBeCloseTo(Math.max(...wave(1000)), 12);
  expect(() => histogramChart([1], { bins: 0 })).toThrow(ArgumentError);
});

test("the confusion matrix shows counts, names and shares", async () => {
  const figure = confusionChart(
    [
      [30, 10],
      [0, 0],
    ],
    { classes: ["cat", "dog"] },
  );
  expect(dataRows(figure)).toEqual([
    { actual: 0, predicted: 0, count: 30, share: 0.75 },
    { actual: 0, predicted: 1, count: 10, share: 0.25 },
    { actual: 1, predicted: 0, count: 0, share: 0 },
    { actual: 1, predicted: 1, count: 0, share: 0 },
  ]);
  const svg = await figure.svg();
  for (const text of ["cat", "dog", "30", "10", "actual", "predicted"]) expect(svg).toContain(`>${text}<`);
  expect(() => confusionChart([[1, 2]])).toThrow(ShapeError);
  expect(() => confusionChart([[1]], { classes: ["a", "b"] })).toThrow(/2 class names for 1 classes/);
});

test("the image grid draws one image each, wrong ones titled in red", async () => {
  const pixels = new Float32Array(5 * 6 * 4 * 3).fill(0.5);
  const figure = imageGrid({ pixels, shape: [5, 6, 4, 3] }, { titles: ["a", "b"], wrong: [false, true], columns: 3 });
  const svg = await figure.svg();
  expect(svg.match(/<image /g)).toHaveLength(5);
  expect(svg).toMatch(/fill="#C81E1E">b</i);
  expect(svg).not.toMatch(/fill="#C81E1E">a</i);
  expect(() => imageGrid({ pixels, shape: [5, 3, 6, 4] })).toThrow(/channels come last/);
  expect(() => imageGrid({ pixels, shape: [5, 72] })).toThrow(ShapeError);
  expect(() => imageGrid({ pixels, shape: [5, 6, 4, 3] }, { columns: 0 })).toThrow(ArgumentError);
  expect(() => imageGrid({ pixels, shape: [5, 6, 4, 3] }, { size: nan })).toThrow(ArgumentError);
});

test("colour-dim averages long runs and refuses uneven histograms", async () => {
  const histograms = Array.from({ length: 1003 }, () => [1, 2, 3]);
  const [row] = dataRows(colorDimChart([{ name: "conv1", histograms }]));
  const png = Buffer.from(String(row.url).split(",")[1], "base64");
  expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([400, 3]);
  expect(() => colorDimChart([{ name: "conv1", histograms: [[1, 2], [1]] }])).toThrow(
    /"conv1" has 2 bins at step 0 but 1 at step 1/,
  );
});

async function draw(figure: Figure): Promise<{ svg: string; warnings: string[] }> {
  const warnings: string[] = [];
  const logger = {
    level: () => logger,
    error: (...texts: readonly unknown[]) => note(texts),
    warn: (...texts: readonly unknown[]) => note(texts),
    info: () => logger,
    debug: () => logger,
  };
  function note(texts: readonly unknown[]): typeof logger {
    const text = texts.map(String).join(" ");
    // Vega's word for a chart without data; it is not shown to users.
    if (!/^Infinite extent .*\[Infinity, -Infinity\]$/.test(text)) warnings.push(text);
    return logger;
  }
  const { spec } = compile(checkedSpec(figure), { logger });
  const view: View = new VegaView(parse(spec), { renderer: "none", logLevel: Warn, logger });
  const svg = await view.toSVG();
  view.finalize();
  return { svg, warnings };
}

/** The inline rows of all parts of a figure. */
function dataRows(figure: Figure): Record<string, unknown>[] {
  const rows: Record<string, unknown>[] = [];
  JSON.parse(JSON.stringify(figure.spec), (key, value) => {
    if (key === "values" && Array.isArray(value)) rows.push(...value);
    return value;
  });
  return rows;
}

/** The specification as the type it was checked against when it was made. */
function checkedSpec(figure: Figure): TopLevelSpec {
  const spec: TopLevelSpec = JSON.parse(JSON.stringify(figure.spec));
  return spec;
}

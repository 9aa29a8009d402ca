import { ArgumentError, ShapeError } from "../../backend/errors.ts";
import type { Figure } from "../figure.ts";
import { pngUrl, toByte } from "../pixels.ts";
import type { Numbers } from "../series.ts";
import { base, palette } from "../theme.ts";
import { checked } from "./checked.ts";

/** Pixels of several images of one size. */
export interface ImageBatch {
  /** Brightness of each pixel and channel, 0 to 1; values outside are clamped. */
  pixels: Numbers;
  /** `[n, height, width]` for grey images, `[n, height, width, channels]` for channels of 1 (grey) or 3 (RGB). */
  shape: readonly number[];
}

export interface ImageGridOptions {
  /** Heading above the grid. Default none. */
  title?: string;
  /** A line above each image. Default none. */
  titles?: readonly string[];
  /** Which images were predicted wrongly; their titles are red. Default none. */
  wrong?: readonly boolean[];
  /** Images in a row, 1 or more. Default about the square root of their number, at most 10. */
  columns?: number;
  /** Width of the longer side of an image in pixels, above 0. Default 84. */
  size?: number;
}

/**
 * A grid of small images with titles, for looking at a batch or at predictions.
 *
 * Shapes: pixels `[n, height, width]` or `[n, height, width, 1 or 3]`.
 *
 * @throws {@link ShapeError} when `pixels` does not have the numbers that `shape` says.
 * @throws {@link ArgumentError} when `columns` or `size` is out of range.
 * @example
 * imageGrid({ pixels: [0, 0.5, 1, 0.5], shape: [1, 2, 2] }, { titles: ["7, is 1"], wrong: [true] });
 */
export function imageGrid({ pixels, shape }: ImageBatch, options: ImageGridOptions = {}): Figure {
  const [n, imageHeight, imageWidth, channels] = checkShape(pixels, shape);
  const { titles = [], wrong = [], size = 84 } = options;
  const { columns = Math.min(10, Math.max(1, Math.ceil(Math.sqrt(n)))) } = options;
  if (!Number.isInteger(columns) || columns < 1) {
    throw new ArgumentError("imageGrid", `columns must be a whole number of 1 or more, got ${columns}.`);
  }
  if (!(size > 0 && Number.isFinite(size))) {
    throw new ArgumentError("imageGrid", `size must be a number above 0, got ${size}.`);
  }
  const longer = Math.max(imageHeight, imageWidth, 1);
  const width = (size * imageWidth) / longer;
  const height = (size * imageHeight) / longer;
  const cellWidth = size + 10;
  const cellHeight = height + (titles.length > 0 ? 24 : 8);
  const rows = Math.ceil(n / columns);
  const stride = imageHeight * imageWidth * channels;
  const values = Array.from({ length: n }, (_, i) => ({
    url: pngUrl(imageBytes(pixels, i * stride, stride), imageWidth, imageHeight, channels),
    x: (i % columns) * cellWidth + cellWidth / 2,
    y: Math.floor(i / columns) * cellHeight + cellHeight - height / 2,
    top: Math.floor(i / columns) * cellHeight + cellHeight - height - 5,
    label: titles[i] ?? "",
    wrong: wrong[i] ?? false,
  }));
  const x = position("x", [0, columns * cellWidth], false);
  const y = position("y", [0, rows * cellHeight], true);
  return checked({
    ...base,
    ...(options.title === undefined ? {} : { title: options.title }),
    usermeta: { pixelated: longer < size },
    width: columns * cellWidth,
    height: Math.max(1, rows * cellHeight),
    data: { values },
    layer: [
      {
        mark: { type: "image", width, height, aspect: false },
        encoding: {
          x,
          y,
          url: { field: "url", type: "nominal" },
        },
      },
      {
        mark: { type: "text", baseline: "bottom", fontSize: 11, limit: cellWidth },
        encoding: {
          x,
          y: { ...y, field: "top" },
          text: { field: "label", type: "nominal" },
          color: { condition: { test: "datum.wrong", value: palette.red }, value: palette.ink },
        },
      },
    ],
  });
}

/** Places marks by pixel. */
function position(field: string, domain: number[], reverse: boolean) {
  return { field, type: "quantitative", axis: null, scale: { domain, nice: false, reverse } } as const;
}

function checkShape(pixels: Numbers, shape: readonly number[]): [number, number, number, number] {
  const [n, height, width, channels = 1] = shape;
  const fits =
    (shape.length === 3 || shape.length === 4) &&
    (channels === 1 || channels === 3) &&
    height > 0 &&
    width > 0 &&
    n * height * width * channels === pixels.length;
  if (!fits) {
    throw new ShapeError(
      "imageGrid",
      `${pixels.length} numbers are not images of shape [${shape.join(", ")}]. ` +
        "Give [n, height, width] or [n, height, width, 1 or 3]; channels come last.",
    );
  }
  return [n, height, width, channels];
}

function imageBytes(pixels: Numbers, from: number, count: number): Uint8Array {
  return Uint8Array.from({ length: count }, (_, i) => toByte(pixels[from + i]));
}

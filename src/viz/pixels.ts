import { encodePng } from "../io/png.ts";

/** Anchors of the viridis colour map, dark to bright, between which colours are interpolated. */
const viridis = ["440154", "482878", "3e4989", "31688e", "26828e", "1f9e89", "35b779", "6ece58", "b5de2b", "fde725"];

/** 256 colours of viridis, three bytes each. */
const ramp = colorRamp();

/** Colours numbers from 0 (dark) to 1 (bright); NaN counts as 0. Returns RGB bytes. */
export function colorize(values: ArrayLike<number>): Uint8Array {
  const rgb = new Uint8Array(values.length * 3);
  for (let i = 0; i < values.length; i++) {
    const index = toByte(values[i]) * 3;
    rgb[3 * i] = ramp[index];
    rgb[3 * i + 1] = ramp[index + 1];
    rgb[3 * i + 2] = ramp[index + 2];
  }
  return rgb;
}

/** 0..1 → 0..255, clamped; NaN → 0. */
export function toByte(value: number): number {
  return value > 0 ? Math.round(Math.min(1, value) * 255) : 0;
}

/** A data URL of a PNG image, for image marks. */
export function pngUrl(pixels: Uint8Array, width: number, height: number, channels: number): string {
  const bytes = encodePng(pixels, width, height, channels);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return `data:image/png;base64,${btoa(text)}`;
}

function colorRamp(): Uint8Array {
  const anchors = viridis.map((hex) => [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)));
  const colors = new Uint8Array(256 * 3);
  for (let i = 0; i < 256; i++) {
    const position = (i / 255) * (anchors.length - 1);
    const left = Math.min(anchors.length - 2, Math.floor(position));
    for (let c = 0; c < 3; c++) {
      colors[3 * i + c] = Math.round(anchors[left][c] + (position - left) * (anchors[left + 1][c] - anchors[left][c]));
    }
  }
  return colors;
}

import { ShapeError } from "../backend/errors.ts";
import { CRC32, crc } from "./crc32.ts";

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
/** PNG's colour type by number of channels: grey, grey with alpha, RGB, RGBA. */
const colorTypes: Readonly<Record<number, number>> = { 1: 0, 2: 4, 3: 2, 4: 6 };
const largestBlock = 65_535;

/**
 * A PNG file of 8-bit pixels, stored without compression, so that it needs no package and no waiting.
 *
 * Shapes: pixels `[height, width, channels]`, row by row, 0 to 255; channels is 1 (grey), 2 (grey, alpha), 3 (RGB) or
 * 4 (RGBA).
 *
 * @throws {@link ShapeError} when the number of bytes does not fit the sizes.
 * @see https://www.w3.org/TR/png-3/
 */
export function encodePng(pixels: Uint8Array, width: number, height: number, channels: number): Uint8Array {
  const colorType = colorTypes[channels];
  if (colorType === undefined) throw new ShapeError("encodePng", `channels must be 1, 2, 3 or 4, got ${channels}.`);
  if (!(width > 0 && height > 0) || pixels.length !== width * height * channels) {
    throw new ShapeError(
      "encodePng",
      `${pixels.length} bytes are not an image of height ${height}, width ${width} and ${channels} channels.`,
    );
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([8, colorType], 8);
  const stride = width * channels;
  const rows = new Uint8Array((stride + 1) * height); // each row begins with its filter type, 0
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1);
  return joinBytes([
    Uint8Array.from(signature),
    chunk("IHDR", header),
    chunk("IDAT", zlibStored(rows)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

/** Joins byte arrays into one. */
export function joinBytes(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

function chunk(type: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = type.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(data.length + 8, crc(CRC32, bytes.subarray(4, data.length + 8)));
  return bytes;
}

/** A zlib stream of stored blocks. */
function zlibStored(data: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  for (let at = 0; at < data.length; at += largestBlock) {
    const block = data.subarray(at, at + largestBlock);
    const isLast = at + largestBlock >= data.length ? 1 : 0;
    const size = block.length;
    parts.push(Uint8Array.of(isLast, size & 255, size >> 8, ~size & 255, (~size >> 8) & 255), block);
  }
  const check = new Uint8Array(4);
  new DataView(check.buffer).setUint32(0, adler32(data));
  parts.push(check);
  return joinBytes(parts);
}

function adler32(data: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (let i = 0; i < data.length; i++) {
    a = (a + data[i]) % 65_521;
    b = (b + a) % 65_521;
  }
  return b * 65_536 + a;
}

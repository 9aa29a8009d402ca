import { DataError } from "../../backend/errors.ts";
import type { Shape } from "../../backend/shape.ts";

/** What an IDX file holds: numbers in row-major order. */
export interface IdxArray {
  readonly shape: Shape;
  /** The type of the values as read; 8 and 16-bit signed numbers are widened to int32. */
  readonly dtype: "uint8" | "int32" | "float32" | "float64";
  readonly values: Uint8Array | Int32Array | Float32Array | Float64Array;
}

interface ElementType {
  readonly name: string;
  readonly bytes: number;
  readonly read: (data: DataView, count: number) => Omit<IdxArray, "shape">;
}

/** Element types by their code; numbers are big-endian. */
const elementTypes: ReadonlyMap<number, ElementType> = new Map([
  [0x08, { name: "uint8", bytes: 1, read: readBytes }],
  [0x09, { name: "int8", bytes: 1, read: (data, count) => readInts(count, (i) => data.getInt8(i)) }],
  [0x0b, { name: "int16", bytes: 2, read: (data, count) => readInts(count, (i) => data.getInt16(i * 2)) }],
  [0x0c, { name: "int32", bytes: 4, read: (data, count) => readInts(count, (i) => data.getInt32(i * 4)) }],
  [0x0d, { name: "float32", bytes: 4, read: readFloats }],
  [0x0e, { name: "float64", bytes: 8, read: readDoubles }],
]);

/**
 * Reads an IDX file, the format of MNIST: two zero bytes, the element type, the number of axes, their sizes, the elements.
 *
 * Bytes are not copied: `values` of a uint8 file lies over `bytes`.
 *
 * @throws {@link DataError} when the file is no IDX file, or longer or shorter than its sizes say.
 * @see LeCun, Cortes, Burges, The MNIST database of handwritten digits, "the IDX file format".
 * @example
 * readIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 7, 9)).values; // => Uint8Array [7, 9]
 */
export function readIdx(bytes: Uint8Array): IdxArray {
  const { type, shape, headerBytes } = readHeader(bytes);
  const expected = headerBytes + elementCount(shape) * type.bytes;
  if (bytes.length !== expected) {
    const problem = bytes.length < expected ? "truncated" : "followed by other bytes";
    throw new DataError(
      "readIdx",
      `the file is ${problem}: ${type.name} [${shape}] makes ${expected} bytes, got ${bytes.length}.`,
    );
  }
  const data = new DataView(bytes.buffer, bytes.byteOffset + headerBytes, expected - headerBytes);
  return { shape, ...type.read(data, elementCount(shape)) };
}

function readHeader(bytes: Uint8Array): { type: ElementType; shape: number[]; headerBytes: number } {
  if (bytes.length < 4) throw new DataError("readIdx", `an IDX file begins with 4 bytes, got ${bytes.length}.`);
  if (bytes[0] !== 0 || bytes[1] !== 0) {
    const hint = bytes[0] === 0x1f && bytes[1] === 0x8b ? " It is a gzip file; unpack it first." : "";
    throw new DataError("readIdx", `an IDX file begins with bytes 0 0, got ${bytes[0]} ${bytes[1]}.${hint}`);
  }
  const type = elementTypes.get(bytes[2]);
  if (type === undefined) {
    const known = [...elementTypes].map(([code, { name }]) => `${code} (${name})`).join(", ");
    throw new DataError("readIdx", `unknown element type ${bytes[2]}. Known: ${known}.`);
  }
  const rank = bytes[3];
  const headerBytes = 4 + 4 * rank;
  if (bytes.length < headerBytes) {
    throw new DataError(
      "readIdx",
      `the file is truncated: ${rank} axes make a header of ${headerBytes} bytes, got ${bytes.length}.`,
    );
  }
  const header = new DataView(bytes.buffer, bytes.byteOffset);
  const shape = Array.from({ length: rank }, (_, axis) => header.getUint32(4 + 4 * axis));
  return { type, shape, headerBytes };
}

/** Sizes up to 2^32 each may multiply to what no number holds; then no file is long enough either. */
function elementCount(shape: Shape): number {
  return shape.includes(0) ? 0 : shape.reduce((count, size) => count * size, 1);
}

function readBytes(data: DataView): Omit<IdxArray, "shape"> {
  return { dtype: "uint8", values: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

function readInts(count: number, at: (i: number) => number): Omit<IdxArray, "shape"> {
  const values = new Int32Array(count);
  for (let i = 0; i < count; i++) values[i] = at(i);
  return { dtype: "int32", values };
}

function readFloats(data: DataView, count: number): Omit<IdxArray, "shape"> {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = data.getFloat32(i * 4);
  return { dtype: "float32", values };
}

function readDoubles(data: DataView, count: number): Omit<IdxArray, "shape"> {
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = data.getFloat64(i * 8);
  return { dtype: "float64", values };
}

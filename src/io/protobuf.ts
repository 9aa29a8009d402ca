import { joinBytes } from "./png.ts";

/**
 * Fields of Protocol Buffers messages as bytes; a message is its fields joined with {@link message}.
 *
 * @see https://protobuf.dev/programming-guides/encoding/
 */
const text = new TextEncoder();

/** Joins fields into the bytes of a message. */
export function message(...fields: readonly Uint8Array[]): Uint8Array {
  return joinBytes(fields);
}

/** A whole number from 0 to 2^53 (`int64`, `int32`, `bool`, enumerations). */
export function integerField(field: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(field * 8), ...varint(value)]);
}

/** A `double`. */
export function doubleField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value, true);
  return joinBytes([Uint8Array.from(varint(field * 8 + 1)), bytes]);
}

/** A `float`; the number is rounded to 32 bits. */
export function floatField(field: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setFloat32(0, value, true);
  return joinBytes([Uint8Array.from(varint(field * 8 + 5)), bytes]);
}

/** A `string`, `bytes` or a message within a message. */
export function bytesField(field: number, value: string | Uint8Array): Uint8Array {
  const bytes = typeof value === "string" ? text.encode(value) : value;
  return joinBytes([Uint8Array.from([...varint(field * 8 + 2), ...varint(bytes.length)]), bytes]);
}

/** A packed `repeated double`. */
export function doublesField(field: number, values: ArrayLike<number>): Uint8Array {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat64(8 * i, values[i], true);
  return bytesField(field, bytes);
}

/** Seven bits a byte, low bits first, by division since numbers may exceed 32 bits. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}

import { DataError } from "../backend/errors.ts";
import type { Shape } from "../backend/shape.ts";
import { elementBits } from "./safetensorsDtypes.ts";
import { parseStrictJson, type StrictJson } from "./strictJson.ts";

/** A tensor as the header of a file describes it; offsets count bytes from the start of the data. */
export interface TensorEntry {
  readonly name: string;
  /** The format's name, `F32` for instance. */
  readonly dtype: string;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
}

/** A checked header. */
export interface SafetensorsHeader {
  /** In the order of the header. */
  readonly entries: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the data begin, in bytes. */
  readonly dataStart: number;
}

/** The limit of the reference reader, in bytes. */
const largestHeader = 100_000_000;

/**
 * Reads and checks the header of a safetensors file: after it, every entry lies inside the data, fits its dtype and
 * shape, and the entries together cover the data without overlap or hole.
 *
 * @throws {@link DataError} for anything else.
 */
export function readHeader(bytes: Uint8Array): SafetensorsHeader {
  const length = headerLength(bytes);
  const dataStart = 8 + length;
  const fields = parseStrictJson("parseSafetensors", decodeText(bytes.subarray(8, dataStart)));
  if (!isObject(fields)) fail("the header is no object");
  const entries: TensorEntry[] = [];
  let metadata: Readonly<Record<string, string>> = Object.create(null);
  for (const [name, value] of fields) {
    if (name === "__metadata__") metadata = readMetadata(value);
    else entries.push(readEntry(name, value));
  }
  checkCover(entries, bytes.length - dataStart);
  return { entries, metadata, dataStart };
}

function headerLength(bytes: Uint8Array): number {
  if (bytes.length < 8) fail(`the file begins with a length of 8 bytes, got ${bytes.length}`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > largestHeader) fail(`a header has at most ${largestHeader} bytes, this one claims ${length}`);
  const size = Number(length);
  if (size > bytes.length - 8)
    fail(`the header claims ${size} bytes, the file has ${bytes.length - 8} after its length`);
  if (bytes[8] !== 0x7b || size === 0) fail('the header does not begin with "{"');
  return size;
}

function decodeText(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new DataError("parseSafetensors", "the header is not valid UTF-8.", { cause });
  }
}

function readMetadata(value: StrictJson): Readonly<Record<string, string>> {
  if (!isObject(value)) fail("__metadata__ is no object");
  const metadata: Record<string, string> = Object.create(null); // "__proto__" is a name like any other
  for (const [key, text] of value) {
    if (typeof text !== "string") fail(`__metadata__ must map to strings, got ${show(text)} for ${show(key)}`);
    metadata[key] = text;
  }
  return metadata;
}

function readEntry(name: string, value: StrictJson): TensorEntry {
  const where = `tensor ${show(name)}`;
  if (!isObject(value)) fail(`${where} is described by ${show(value)}, not an object`);
  const dtype = value.get("dtype");
  const bits = typeof dtype === "string" ? elementBits(dtype) : undefined;
  if (typeof dtype !== "string" || bits === undefined) fail(`${where} has the unknown dtype ${show(dtype)}`);
  const shape = wholeNumbers(`${where}: the shape`, value.get("shape"));
  const offsets = wholeNumbers(`${where}: data_offsets`, value.get("data_offsets"));
  if (offsets.length !== 2) fail(`${where}: data_offsets must be 2 numbers, got [${offsets}]`);
  const [begin, end] = offsets;
  const size = byteSize(where, shape, bits);
  if (end - begin !== size) {
    fail(`${where}: ${dtype} [${shape}] takes ${size} bytes, data_offsets [${begin}, ${end}] hold ${end - begin}`);
  }
  return { name, dtype, shape, begin, end };
}

/** Refuses products that are not exact, even where a 0 among the sizes makes the whole product 0. */
function byteSize(where: string, shape: Shape, bits: number): number {
  let elements = 1;
  for (const size of shape) {
    elements *= size;
    if (!Number.isSafeInteger(elements * bits)) fail(`${where}: the shape [${shape}] has too many elements`);
  }
  if ((elements * bits) % 8 !== 0) fail(`${where}: ${elements} elements of ${bits} bits do not fill whole bytes`);
  return (elements * bits) / 8;
}

/** Every byte of the data belongs to one tensor, empty tensors aside. */
function checkCover(entries: readonly TensorEntry[], dataLength: number): void {
  let covered = 0;
  let before = "";
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < covered)
      fail(`tensors ${show(before)} and ${show(name)} overlap: one ends at ${covered}, one begins at ${begin}`);
    if (begin > covered) fail(`bytes ${covered} to ${begin} before tensor ${show(name)} belong to no tensor`);
    covered = end;
    before = name;
  }
  if (covered !== dataLength) {
    const problem = covered > dataLength ? "the file is truncated" : "the file has bytes of no tensor";
    fail(`${problem}: the tensors take ${covered} bytes, the file has ${dataLength} after its header`);
  }
}

function wholeNumbers(what: string, value: StrictJson | undefined): readonly number[] {
  if (!isArray(value)) fail(`${what} must be a list, got ${show(value)}`);
  return value.map((entry) => {
    if (typeof entry !== "number" || !Number.isSafeInteger(entry) || entry < 0) {
      fail(`${what} must be whole numbers from 0, got ${show(entry)}`);
    }
    return entry;
  });
}

function isObject(value: StrictJson | undefined): value is ReadonlyMap<string, StrictJson> {
  return value instanceof Map;
}

function isArray(value: StrictJson | undefined): value is readonly StrictJson[] {
  return Array.isArray(value);
}

/** A value for an error message, however large it is. */
function show(value: StrictJson | undefined): string {
  if (isObject(value)) return "an object";
  if (isArray(value)) return "a list";
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function fail(problem: string): never {
  throw new DataError("parseSafetensors", `${problem}.`);
}

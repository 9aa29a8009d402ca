import { readFile, replaceFile } from "#platform";
import { bytesPerElement, type DType } from "../backend/dtype.ts";
import { ArgumentError, DataError } from "../backend/errors.ts";
import type { Tensor } from "../tensor/index.ts";
import { type ReadOptions, tensorFromBytes } from "./safetensorsDtypes.ts";
import { readHeader } from "./safetensorsHeader.ts";

/** Tensors by name. */
export type NamedTensors = Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>;

/** What a safetensors file holds. */
export interface SafetensorsContent {
  /** In the order in which the file's header lists them. */
  readonly tensors: Map<string, Tensor>;
  /** Free text by name; empty where the file has none. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** The format's names of the dtypes. */
const formatNames: Readonly<Record<DType, string>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int32: "I32",
  uint8: "U8",
  bool: "BOOL",
};

/**
 * Tensors as the bytes of a safetensors file.
 *
 * The header lists them in the order given; wider dtypes come first in the data, so that all lie aligned.
 *
 * @param metadata - Free text by name, for instance `{ format: "pt" }`.
 * @throws {@link ArgumentError} for a tensor named `__metadata__`, a name that is no valid text, metadata that are no strings.
 * @see https://github.com/huggingface/safetensors#format
 * @example
 * const bytes = serializeSafetensors({ weight: ones([2, 2]) });
 * parseSafetensors(bytes).tensors.get("weight")?.toArray(); // => [[1, 1], [1, 1]]
 */
export function serializeSafetensors(
  tensors: NamedTensors,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const entries = [...(isMap(tensors) ? tensors : Object.entries(tensors))];
  const offsets = new Map<string, number>();
  let length = 0;
  for (const [name, x] of entries.toSorted(([, a], [, b]) => bytesPerElement(b.dtype) - bytesPerElement(a.dtype))) {
    offsets.set(name, length);
    length += byteLength(x);
  }
  const header = headerOf(entries, offsets, metadata);
  const result = new Uint8Array(8 + header.length + length);
  new DataView(result.buffer).setBigUint64(0, BigInt(header.length), true);
  result.set(header, 8);
  for (const [name, x] of entries) {
    const elements = x._rawElements();
    const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
    result.set(bytes, 8 + header.length + (offsets.get(name) ?? 0));
  }
  return result;
}

/**
 * Reads the bytes of a safetensors file. Nothing in it can run code; everything in it is checked before it is used.
 *
 * float64 becomes float32 unless `keepFloat64`; 8-bit floats become float32; integers other than uint8 become int32,
 * where a value that does not fit is an error. Unaligned data are fine.
 *
 * @throws {@link DataError} when the bytes are no safetensors file, or a damaged one: sizes and offsets that do not
 * agree, overlaps, holes, names that come twice, unknown dtypes.
 * @see https://github.com/huggingface/safetensors#format
 */
export function parseSafetensors(bytes: Uint8Array, options: ReadOptions = {}): SafetensorsContent {
  const { entries, metadata, dataStart } = readHeader(bytes);
  const tensors = new Map<string, Tensor>();
  for (const entry of entries) {
    const data = bytes.subarray(dataStart + entry.begin, dataStart + entry.end);
    tensors.set(entry.name, tensorFromBytes(entry, data, options));
  }
  return { tensors, metadata };
}

/**
 * Writes tensors to a safetensors file. At every instant the file is the old one or the new one, whole, whatever happens
 * to the process; missing folders are made.
 *
 * @throws {@link DataError} with the cause when the file cannot be written; an older file of that name stays as it was.
 * @throws {@link ArgumentError} as {@link serializeSafetensors}.
 * @example
 * await saveSafetensors("runs/model.safetensors", { weight: ones([2, 3]) }, { epoch: "5" });
 */
export async function saveSafetensors(
  path: string,
  tensors: NamedTensors,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const bytes = serializeSafetensors(tensors, metadata);
  try {
    await replaceFile(path, bytes);
  } catch (cause) {
    throw new DataError("saveSafetensors", `could not write "${path}": ${messageOf(cause)}.`, { cause });
  }
}

/**
 * Reads a safetensors file; see {@link parseSafetensors}.
 *
 * @throws {@link DataError} when there is no such file, or it is damaged.
 * @example
 * await saveSafetensors("runs/model.safetensors", { weight: ones([2, 3]) });
 * const { tensors } = await loadSafetensors("runs/model.safetensors");
 * tensors.get("weight")?.shape; // => [2, 3]
 */
export async function loadSafetensors(path: string, options: ReadOptions = {}): Promise<SafetensorsContent> {
  let bytes: Uint8Array | undefined;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new DataError("loadSafetensors", `could not read "${path}": ${messageOf(cause)}.`, { cause });
  }
  if (bytes === undefined) throw new DataError("loadSafetensors", `there is no file "${path}".`);
  try {
    return parseSafetensors(bytes, options);
  } catch (cause) {
    if (!(cause instanceof DataError)) throw cause;
    throw new DataError("loadSafetensors", `"${path}": ${cause.message}`, { cause });
  }
}

function headerOf(
  entries: readonly (readonly [string, Tensor])[],
  offsets: ReadonlyMap<string, number>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const parts: string[] = [];
  if (Object.keys(metadata).length > 0) parts.push(`"__metadata__":${metadataText(metadata)}`);
  for (const [name, x] of entries) {
    const begin = offsets.get(name) ?? 0;
    const info = { dtype: formatNames[x.dtype], shape: x.shape, data_offsets: [begin, begin + byteLength(x)] };
    if (name === "__metadata__") {
      throw new ArgumentError(
        "serializeSafetensors",
        "the format keeps the name __metadata__ for itself. Rename the tensor.",
      );
    }
    parts.push(`${quote(name)}:${JSON.stringify(info)}`);
  }
  const text = `{${parts.join(",")}}`;
  const { length } = new TextEncoder().encode(text);
  return new TextEncoder().encode(text + " ".repeat((8 - (length % 8)) % 8)); // so that the data begin aligned
}

function metadataText(metadata: Readonly<Record<string, string>>): string {
  const fields = Object.entries(metadata).map(([key, value]: [string, unknown]) => {
    if (typeof value === "string") return `${quote(key)}:${quote(value)}`;
    throw new ArgumentError("serializeSafetensors", `metadata are strings, got ${typeof value} for "${key}".`);
  });
  return `{${fields.join(",")}}`;
}

/** A string in JSON; half a surrogate pair has no place in UTF-8. */
function quote(text: string): string {
  if (/\p{Surrogate}/u.test(text)) {
    throw new ArgumentError("serializeSafetensors", `${JSON.stringify(text)} is not valid Unicode text.`);
  }
  return JSON.stringify(text);
}

function byteLength(x: Tensor): number {
  return x.numel() * bytesPerElement(x.dtype);
}

function isMap(tensors: NamedTensors): tensors is ReadonlyMap<string, Tensor> {
  return tensors instanceof Map;
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

import { DTypeError } from "./errors.ts";

/**
 * Element types. `float16` and `bfloat16` are storage only: they are widened to float32 to be computed with.
 * `bool` holds 0 or 1 in a byte. The codes are the native addon's.
 */
export const dtypes = {
  float32: { code: 0, bytes: 4, kind: "float" },
  float64: { code: 1, bytes: 8, kind: "float" },
  int32: { code: 2, bytes: 4, kind: "int" },
  uint8: { code: 3, bytes: 1, kind: "int" },
  bool: { code: 4, bytes: 1, kind: "bool" },
  float16: { code: 5, bytes: 2, kind: "float" },
  bfloat16: { code: 6, bytes: 2, kind: "float" },
} as const;

/** The name of an element type. */
export type DType = keyof typeof dtypes;

/** Raw elements as JavaScript sees them; the 16-bit floats show their bits. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array;

/** Bytes of one element. */
export function bytesPerElement(dtype: DType): number {
  return dtypes[dtype].bytes;
}

/** Whether a dtype can carry a gradient. */
export function isFloatingPoint(dtype: DType): boolean {
  return dtypes[dtype].kind === "float";
}

/** A typed array over `buffer`; 16-bit floats come as their bits in a Uint16Array. */
export function typedArrayOver(dtype: DType, buffer: ArrayBuffer, byteOffset = 0, length?: number): TypedArray {
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer, byteOffset, length);
    case "float64":
      return new Float64Array(buffer, byteOffset, length);
    case "int32":
      return new Int32Array(buffer, byteOffset, length);
    case "uint8":
    case "bool":
      return new Uint8Array(buffer, byteOffset, length);
    case "float16":
    case "bfloat16":
      return new Uint16Array(buffer, byteOffset, length);
  }
}

/**
 * The dtype two operands meet in, by PyTorch's rule: floats beat integers, integers beat bool; of two floats the wider,
 * and float16 with bfloat16 gives float32.
 */
export function promoteTypes(a: DType, b: DType): DType {
  if (a === b) return a;
  const rank = { bool: 0, int: 1, float: 2 };
  const difference = rank[dtypes[a].kind] - rank[dtypes[b].kind];
  if (difference !== 0) return difference > 0 ? a : b;
  if (dtypes[a].bytes === dtypes[b].bytes) return "float32"; // float16 with bfloat16
  return dtypes[a].bytes > dtypes[b].bytes ? a : b;
}

/** @throws {@link DTypeError} when `name` is not a dtype. */
export function checkDType(operation: string, name: string): asserts name is DType {
  if (!Object.hasOwn(dtypes, name)) {
    throw new DTypeError(operation, `unknown dtype "${name}". Known: ${Object.keys(dtypes).join(", ")}.`);
  }
}

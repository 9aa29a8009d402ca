import { type DType, isFloatingPoint } from "../backend/dtype.ts";
import { DataError } from "../backend/errors.ts";
import type { Shape } from "../backend/shape.ts";
import { empty, type Tensor, tensor } from "../tensor/index.ts";

/** How a file is read. */
export interface ReadOptions {
  /** Where the tensors are made. Default the default device. */
  readonly device?: string | undefined;
  /** Keeps float64 as it is, which only the `js` device computes with. Default false: it becomes float32. */
  readonly keepFloat64?: boolean | undefined;
}

interface FileDType {
  readonly bits: number;
  /** The dtype whose memory looks the same. */
  readonly same?: DType;
  /** Else: how to read element i, and what it becomes. */
  readonly into?: DType;
  readonly at?: (data: DataView, i: number) => number | bigint;
}

/** The format's dtypes; those with neither `same` nor `at` are known but have no counterpart here. */
const fileDTypes: ReadonlyMap<string, FileDType> = new Map<string, FileDType>([
  ["F32", { bits: 32, same: "float32" }],
  ["F16", { bits: 16, same: "float16" }],
  ["BF16", { bits: 16, same: "bfloat16" }],
  ["I32", { bits: 32, same: "int32" }],
  ["U8", { bits: 8, same: "uint8" }],
  ["BOOL", { bits: 8, same: "bool" }],
  ["F64", { bits: 64, into: "float32", at: (data, i) => data.getFloat64(8 * i, true) }],
  ["F8_E4M3", { bits: 8, into: "float32", at: (data, i) => fromFloat8(data.getUint8(i), 3) }],
  ["F8_E5M2", { bits: 8, into: "float32", at: (data, i) => fromFloat8(data.getUint8(i), 2) }],
  ["I64", { bits: 64, into: "int32", at: (data, i) => data.getBigInt64(8 * i, true) }],
  ["I16", { bits: 16, into: "int32", at: (data, i) => data.getInt16(2 * i, true) }],
  ["I8", { bits: 8, into: "int32", at: (data, i) => data.getInt8(i) }],
  ["U64", { bits: 64, into: "int32", at: (data, i) => data.getBigUint64(8 * i, true) }],
  ["U32", { bits: 32, into: "int32", at: (data, i) => data.getUint32(4 * i, true) }],
  ["U16", { bits: 16, into: "int32", at: (data, i) => data.getUint16(2 * i, true) }],
  ["F4", { bits: 4 }],
  ["F6_E2M3", { bits: 6 }],
  ["F6_E3M2", { bits: 6 }],
  ["F8_E8M0", { bits: 8 }],
  ["C64", { bits: 64 }],
]);

/** Bits of one element, or `undefined` for a dtype the format does not have. */
export function elementBits(dtype: string): number | undefined {
  return fileDTypes.get(dtype)?.bits;
}

/**
 * A tensor from its part of a file, which has the right number of bytes.
 *
 * @throws {@link DataError} for a dtype without a counterpart, an integer beyond int32, a bool that is neither 0 nor 1.
 */
export function tensorFromBytes(
  { name, dtype, shape }: { readonly name: string; readonly dtype: string; readonly shape: Shape },
  bytes: Uint8Array,
  { device, keepFloat64 = false }: ReadOptions,
): Tensor {
  const type = fileDTypes.get(dtype);
  const same = keepFloat64 && dtype === "F64" ? "float64" : type?.same;
  if (same !== undefined) {
    if (same === "bool") checkBools(name, bytes);
    const result = empty(shape, { dtype: same, device });
    result.storage.backend.write(result.storage, bytes, 0); // byte by byte, so alignment does not matter
    return result;
  }
  if (type?.at === undefined || type.into === undefined) {
    throw new DataError("parseSafetensors", `tensor "${name}" has dtype ${dtype}, which has no counterpart here.`);
  }
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const values = new Float64Array((bytes.length * 8) / type.bits);
  for (let i = 0; i < values.length; i++) {
    const value = type.at(data, i);
    values[i] = Number(value);
    if (!isFloatingPoint(type.into) && values[i] !== (values[i] | 0)) {
      throw new DataError("parseSafetensors", `tensor "${name}" (${dtype}) holds ${value}, which does not fit int32.`);
    }
  }
  return tensor(values, { shape, dtype: type.into, device });
}

function checkBools(name: string, bytes: Uint8Array): void {
  const wrong = bytes.find((byte) => byte > 1);
  if (wrong !== undefined) {
    throw new DataError("parseSafetensors", `tensor "${name}" (BOOL) holds the byte ${wrong}; bools are 0 or 1.`);
  }
}

/**
 * An 8-bit float: sign, exponent, and 3 (E4M3) or 2 (E5M2) bits of fraction.
 *
 * @see Micikevicius et al. 2022, FP8 formats for deep learning, https://arxiv.org/abs/2209.05433, table 1
 */
function fromFloat8(bits: number, fractionBits: 2 | 3): number {
  const sign = bits & 0x80 ? -1 : 1;
  const bias = fractionBits === 3 ? 7 : 15;
  const steps = 1 << fractionBits;
  const exponent = (bits & 0x7f) >>> fractionBits;
  const fraction = bits & (steps - 1);
  if (fractionBits === 3 && (bits & 0x7f) === 0x7f) return Number.NaN; // E4M3 has no infinity
  if (fractionBits === 2 && exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  if (exponent === 0) return sign * (fraction / steps) * 2 ** (1 - bias);
  return sign * (1 + fraction / steps) * 2 ** (exponent - bias);
}

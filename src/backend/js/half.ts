/**
 * 16-bit floats as bits. Values pass through float32 first, as they do on every backend, then round to nearest even.
 */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** The bits of a number as bfloat16. */
export function toBfloat16(value: number): number {
  float[0] = value;
  const b = bits[0];
  if ((b & 0x7fffffff) > 0x7f800000) return (b >>> 16) | 0x40; // NaN stays NaN
  return ((b + 0x7fff + ((b >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The number that bfloat16 bits stand for. */
export function fromBfloat16(half: number): number {
  bits[0] = half << 16;
  return float[0];
}

/** The bits of a number as float16; from 65520 on it is infinity. */
export function toFloat16(value: number): number {
  float[0] = value;
  const b = bits[0];
  const sign = (b >>> 16) & 0x8000;
  const magnitude = b & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  if (magnitude < 0x38800000) {
    // Subnormal: adding 0.5 leaves the value in units of 2^-24, rounded to even, in the low bits.
    bits[0] = magnitude;
    float[0] = float[0] + 0.5;
    return sign | (bits[0] - 0x3f000000);
  }
  const rebiased = magnitude - 0x38000000; // exponent bias 127 → 15
  return sign | ((rebiased + 0x0fff + ((rebiased >>> 13) & 1)) >>> 13);
}

/** The number that float16 bits stand for. */
export function fromFloat16(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 0x1f;
  const fraction = half & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  bits[0] = ((half & 0x8000) << 16) | ((exponent + 112) << 23) | (fraction << 13);
  return float[0];
}

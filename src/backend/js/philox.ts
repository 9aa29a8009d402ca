import type { RandomKey } from "../backend.ts";

/** Two 32-bit words. */
export type PhiloxKey = readonly [number, number];

/** Four 32-bit words. */
export type PhiloxCounter = readonly [number, number, number, number];

const TWO_32 = 4294967296;
const MULTIPLIER_0 = 0xd2511f53;
const MULTIPLIER_1 = 0xcd9e8d57;
const WEYL_0 = 0x9e3779b9; // golden ratio
const WEYL_1 = 0xbb67ae85; // √3 − 1
const ROUNDS = 10;

/**
 * Philox4x32-10: four random 32-bit words from a counter and a key, written to `out[at … at + 3]`.
 * @see Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3.
 */
export function philox4x32(counter: PhiloxCounter, key: PhiloxKey, out: Uint32Array, at = 0): void {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < ROUNDS; round++) {
    const high0 = multiplyHigh(MULTIPLIER_0, c0);
    const low0 = Math.imul(MULTIPLIER_0, c0);
    const high1 = multiplyHigh(MULTIPLIER_1, c2);
    const low1 = Math.imul(MULTIPLIER_1, c2);
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 = (k0 + WEYL_0) | 0;
    k1 = (k1 + WEYL_1) | 0;
  }
  out[at] = c0;
  out[at + 1] = c1;
  out[at + 2] = c2;
  out[at + 3] = c3;
}

/**
 * Words of `key`'s sequence from block `key.counter + firstBlock` on, filling `out`.
 * Philox's key is the seed (low word, high word); its counter is (block low, block high, stream, 0).
 */
export function fillWords(key: RandomKey, firstBlock: number, out: Uint32Array): void {
  const philoxKey: PhiloxKey = [key.seed >>> 0, Math.floor(key.seed / TWO_32)];
  const whole = out.length - (out.length % 4);
  let block = key.counter + firstBlock;
  for (let at = 0; at < whole; at += 4, block++) {
    philox4x32([block >>> 0, Math.floor(block / TWO_32), key.stream, 0], philoxKey, out, at);
  }
  if (whole === out.length) return;
  const last = new Uint32Array(4);
  philox4x32([block >>> 0, Math.floor(block / TWO_32), key.stream, 0], philoxKey, last);
  out.set(last.subarray(0, out.length - whole), whole);
}

/** The first `n` words of `key`'s sequence: word i is word i mod 4 of block `key.counter + ⌊i/4⌋`. */
export function randomWords(key: RandomKey, n: number): Uint32Array {
  const words = new Uint32Array(n);
  fillWords(key, 0, words);
  return words;
}

/** The upper 32 bits of the 64-bit product of two unsigned words, by 16-bit halves. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16);
  const cross = Math.imul(aLow, bHigh) + (middle & 0xffff);
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (cross >>> 16)) | 0;
}

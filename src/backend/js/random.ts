import type { RandomKey, RandomKind } from "../backend.ts";
import { normalPair } from "./normal.ts";
import { fillWords } from "./philox.ts";

/** Words made at a time; a multiple of 4. */
const CHUNK = 4096;
const TO_UNIT = 1 / 16777216; // 2^-24
const TO_WORD_UNIT = 1 / 4294967296; // 2^-32

/**
 * Draws for `out.length` elements, the first of which is element `first` (a multiple of 4) of the sequence; see
 * {@link Backend.random}. All arithmetic is in float64, rounded once to the dtype of the tensor. Of uniform draws, `high`
 * itself can come out where that rounding reaches it.
 */
export function fillRandom(
  kind: RandomKind,
  key: RandomKey,
  first: number,
  out: Float64Array,
  low: number,
  high: number,
): void {
  const padded = out.length + (out.length % 2); // normal draws come in pairs
  const words = new Uint32Array(padded);
  fillWords(key, first / 4, words);
  const span = high - low;
  switch (kind) {
    case "uniform":
      for (let i = 0; i < out.length; i++) out[i] = low + span * ((words[i] >>> 8) * TO_UNIT);
      return;
    case "integers":
      for (let i = 0; i < out.length; i++) out[i] = low + Math.floor(words[i] * TO_WORD_UNIT * span);
      return;
    case "bernoulli":
      for (let i = 0; i < out.length; i++) out[i] = (words[i] >>> 8) * TO_UNIT < high ? 1 : 0;
      return;
    case "normal": {
      const pair = new Float64Array(2);
      for (let i = 0; i < out.length; i += 2) {
        normalPair(words[i], words[i + 1], pair, 0);
        out[i] = low + high * pair[0];
        if (i + 1 < out.length) out[i + 1] = low + high * pair[1];
      }
    }
  }
}

/** Draws in chunks, handed to `write` with the position of their first element. */
export function drawChunks(
  kind: RandomKind,
  key: RandomKey,
  size: number,
  low: number,
  high: number,
  write: (values: Float64Array, first: number) => void,
): void {
  const buffer = new Float64Array(Math.min(CHUNK, size));
  for (let first = 0; first < size; first += CHUNK) {
    const values = buffer.subarray(0, Math.min(CHUNK, size - first));
    fillRandom(kind, key, first, values, low, high);
    write(values, first);
  }
}

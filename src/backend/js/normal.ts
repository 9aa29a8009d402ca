/**
 * Normal draws from pairs of 32-bit words (Box and Muller 1958), made of + − × ÷ √ and exact integer steps only, in
 * one fixed order: every backend that follows it, with IEEE doubles and no fused multiply-add, gets the same bits.
 * The library's log, sin and cos would not do: their last bit differs between systems.
 */

const TWO_32 = 4294967296;
const LN_2 = Math.LN2; // 0.6931471805599453
const SQRT_2 = Math.SQRT2; // 1.4142135623730951
const HALF_PI = 1.5707963267948966;

/** 2^0 … 2^32, exact. */
const powersOfTwo = Float64Array.from({ length: 33 }, (_, i) => 2 ** i);

/**
 * ln((word + 1) · 2^-32), for a uniform number in (0, 1].
 * With n = word + 1 = m · 2^e and m in (√½, √2]: ln = 2 s (1 + z/3 + z²/5 + … + z^10/21) + (e − 32) ln 2,
 * where s = (m − 1)/(m + 1) and z = s²; the first term left out is below 1e-18.
 */
export function logUniform(word: number): number {
  const n = word + 1; // 1 … 2^32, exact
  let e = n === TWO_32 ? 32 : 31 - Math.clz32(n);
  let m = n / powersOfTwo[e]; // [1, 2), exact
  if (m > SQRT_2) {
    m = m * 0.5;
    e = e + 1;
  }
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let p = 1 / 21;
  p = p * z + 1 / 19;
  p = p * z + 1 / 17;
  p = p * z + 1 / 15;
  p = p * z + 1 / 13;
  p = p * z + 1 / 11;
  p = p * z + 1 / 9;
  p = p * z + 1 / 7;
  p = p * z + 1 / 5;
  p = p * z + 1 / 3;
  p = p * z + 1;
  return 2 * s * p + (e - 32) * LN_2; // (2·s)·p first, then the product with ln 2, then their sum
}

/**
 * Two independent standard normal numbers: r cos(2πu) and r sin(2πu), with r = √(−2 ln u₁), u₁ = (word0 + 1) · 2^-32
 * and u = word1 · 2^-32; written to `out[at]` and `out[at + 1]`.
 */
export function normalPair(word0: number, word1: number, out: Float64Array, at: number): void {
  const radius = Math.sqrt(-2 * logUniform(word0));
  const quadrant = word1 >>> 30; // ⌊4u⌋
  const rest = (word1 & 0x3fffffff) / 1073741824; // 4u − ⌊4u⌋, in [0, 1), exact
  const folded = rest > 0.5;
  const angle = (folded ? 1 - rest : rest) * HALF_PI; // [0, π/4]
  const square = angle * angle;
  const sine = angle * sinePolynomial(square);
  const cosine = cosinePolynomial(square);
  const x = radius * (folded ? sine : cosine); // of the angle inside its quadrant
  const y = radius * (folded ? cosine : sine);
  switch (quadrant) {
    case 0:
      out[at] = x;
      out[at + 1] = y;
      break;
    case 1:
      out[at] = -y;
      out[at + 1] = x;
      break;
    case 2:
      out[at] = -x;
      out[at + 1] = -y;
      break;
    default:
      out[at] = y;
      out[at + 1] = -x;
  }
}

/** sin(a)/a from z = a² ≤ π²/16: Taylor to z^8; the first term left out is below 1e-18. */
function sinePolynomial(z: number): number {
  let p = 1 / 355687428096000; // 1/17!
  p = p * z - 1 / 1307674368000; // 1/15!
  p = p * z + 1 / 6227020800; // 1/13!
  p = p * z - 1 / 39916800; // 1/11!
  p = p * z + 1 / 362880; // 1/9!
  p = p * z - 1 / 5040; // 1/7!
  p = p * z + 1 / 120; // 1/5!
  p = p * z - 1 / 6; // 1/3!
  p = p * z + 1;
  return p;
}

/** cos(a) from z = a² ≤ π²/16: Taylor to z^8; the first term left out is below 1e-17. */
function cosinePolynomial(z: number): number {
  let p = 1 / 20922789888000; // 1/16!
  p = p * z - 1 / 87178291200; // 1/14!
  p = p * z + 1 / 479001600; // 1/12!
  p = p * z - 1 / 3628800; // 1/10!
  p = p * z + 1 / 40320; // 1/8!
  p = p * z - 1 / 720; // 1/6!
  p = p * z + 1 / 24; // 1/4!
  p = p * z - 1 / 2; // 1/2!
  p = p * z + 1;
  return p;
}

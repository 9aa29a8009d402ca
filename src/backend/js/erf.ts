/**
 * The error function to double precision: Taylor polynomials about the multiples of 1/8, whose coefficients are made
 * once from the equation erf'' = −2x erf'.
 */

const SPACING = 0.125;
const LIMIT = 6; // erf(6) rounds to 1
const TERMS = 14; // (1/16)^14 is below 1e-16
const coefficients = makeCoefficients();

/** The error function, 2/√π ∫₀ˣ e^(−t²) dt. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (!(a < LIMIT)) return Number.isNaN(x) ? x : Math.sign(x);
  const centre = Math.round(a / SPACING);
  const h = a - centre * SPACING;
  let at = (centre + 1) * TERMS - 1;
  let sum = coefficients[at];
  for (let n = 1; n < TERMS; n++) sum = sum * h + coefficients[--at];
  return x < 0 ? -sum : sum;
}

function makeCoefficients(): Float64Array {
  const centres = LIMIT / SPACING + 1;
  const table = new Float64Array(centres * TERMS);
  for (let k = 0; k < centres; k++) {
    const c = k * SPACING;
    const row = table.subarray(k * TERMS, (k + 1) * TERMS);
    row[0] = erfSeries(c);
    row[1] = (2 / Math.sqrt(Math.PI)) * Math.exp(-c * c);
    for (let n = 0; n + 2 < TERMS; n++) {
      row[n + 2] = (-2 * (c * (n + 1) * row[n + 1] + n * row[n])) / ((n + 2) * (n + 1));
    }
  }
  return table;
}

/** 2/√π e^(−x²) Σ 2ⁿ x^(2n+1) / (1·3·…·(2n+1)): all terms are positive, so nothing cancels. */
function erfSeries(x: number): number {
  let term = x;
  let sum = 0;
  for (let n = 1; sum + term !== sum; n++) {
    sum += term;
    term *= (2 * x * x) / (2 * n + 1);
  }
  return Math.min(1, (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum);
}

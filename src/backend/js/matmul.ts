import type { View } from "../backend.ts";
import type { DType, TypedArray } from "../dtype.ts";
import { loadOf, storeOf } from "./element.ts";
import { collapse, eachPosition } from "./loops.ts";

/** A matrix inside a storage. */
interface Matrix {
  readonly data: TypedArray;
  readonly dtype: DType;
  readonly offset: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** Rows and columns computed together in registers. */
const UNIT = 4;
/** Block sizes: the packed blocks of a (64 × 256) and b (256 × 256) stay in cache. */
const ROWS = 64;
const COLUMNS = 256;
const DEPTH = 256;

const packedA = new Float64Array(ROWS * DEPTH);
const packedB = new Float64Array(DEPTH * COLUMNS);
const block = new Float64Array(ROWS * COLUMNS);

/**
 * See {@link FastKernels.matmul}. Blocks of both operands are packed into float64, so strides cost nothing in the inner
 * loop and sums run in float64, in the order of k.
 */
export function matmul(a: View, b: View, bias: View | undefined, relu: boolean, out: View): void {
  const rank = out.shape.length;
  const [m, n, k] = [out.shape[rank - 2], out.shape[rank - 1], a.shape[rank - 1]];
  const batch = collapse(
    out.shape.slice(0, -2),
    [a, b, out].map((view) => view.strides.slice(0, -2)),
  );
  const offsets = [a.offset, b.offset, out.offset];
  eachPosition(batch, offsets, () => {
    const [left, right, target] = [matrix(a, offsets[0]), matrix(b, offsets[1]), matrix(out, offsets[2])];
    for (let column = 0; column < n; column += COLUMNS) {
      const columns = Math.min(COLUMNS, n - column);
      for (let row = 0; row < m; row += ROWS) {
        const rows = Math.min(ROWS, m - row);
        multiplyBlock(left, right, row, column, rows, columns, k);
        storeBlock(target, row, column, rows, columns, bias, relu);
      }
    }
  });
}

function matrix({ storage, dtype, strides }: View, offset: number): Matrix {
  const [rowStride, columnStride] = strides.slice(-2);
  return { data: storage.elements(dtype), dtype, offset, rowStride, columnStride };
}

/** `block` = rows × columns of the product, as tiles of UNIT × UNIT. */
function multiplyBlock(
  a: Matrix,
  b: Matrix,
  row: number,
  column: number,
  rows: number,
  columns: number,
  k: number,
): void {
  block.fill(0);
  for (let depth = 0; depth < k; depth += DEPTH) {
    const n = Math.min(DEPTH, k - depth);
    pack(a, row, rows, a.rowStride, depth, n, a.columnStride, packedA);
    pack(b, column, columns, b.columnStride, depth, n, b.rowStride, packedB);
    for (let j = 0; j < columns; j += UNIT) {
      for (let i = 0; i < rows; i += UNIT) multiplyTile(i * n, j * n, n, i * COLUMNS + j * UNIT);
    }
  }
}

/** Copies `lines × depth` elements as panels of UNIT lines, `panel[depth][line]`; lines beyond the matrix are 0. */
function pack(
  { data, dtype, offset }: Matrix,
  firstLine: number,
  lines: number,
  lineStride: number,
  firstDepth: number,
  depth: number,
  depthStride: number,
  out: Float64Array,
): void {
  const load = loadOf(dtype);
  const start = offset + firstDepth * depthStride;
  for (let line = 0; line < lines; line++) {
    const panel = line - (line % UNIT);
    let at = panel * depth + (line % UNIT);
    let from = start + (firstLine + line) * lineStride;
    if (load === undefined) for (let d = 0; d < depth; d++, at += UNIT, from += depthStride) out[at] = data[from];
    else for (let d = 0; d < depth; d++, at += UNIT, from += depthStride) out[at] = load(data[from]);
  }
  for (let line = lines; line % UNIT !== 0; line++) {
    let at = (line - (line % UNIT)) * depth + (line % UNIT);
    for (let d = 0; d < depth; d++, at += UNIT) out[at] = 0;
  }
}

/** Adds the product of two panels to the tile of `block` at `at`. */
function multiplyTile(aAt: number, bAt: number, depth: number, at: number): void {
  let [c00, c01, c02, c03] = [0, 0, 0, 0];
  let [c10, c11, c12, c13] = [0, 0, 0, 0];
  let [c20, c21, c22, c23] = [0, 0, 0, 0];
  let [c30, c31, c32, c33] = [0, 0, 0, 0];
  const end = aAt + depth * UNIT;
  for (let p = aAt, q = bAt; p < end; p += UNIT, q += UNIT) {
    const [b0, b1, b2, b3] = [packedB[q], packedB[q + 1], packedB[q + 2], packedB[q + 3]];
    const a0 = packedA[p];
    c00 += a0 * b0;
    c01 += a0 * b1;
    c02 += a0 * b2;
    c03 += a0 * b3;
    const a1 = packedA[p + 1];
    c10 += a1 * b0;
    c11 += a1 * b1;
    c12 += a1 * b2;
    c13 += a1 * b3;
    const a2 = packedA[p + 2];
    c20 += a2 * b0;
    c21 += a2 * b1;
    c22 += a2 * b2;
    c23 += a2 * b3;
    const a3 = packedA[p + 3];
    c30 += a3 * b0;
    c31 += a3 * b1;
    c32 += a3 * b2;
    c33 += a3 * b3;
  }
  addRow(at, c00, c01, c02, c03);
  addRow(at + 4, c10, c11, c12, c13);
  addRow(at + 8, c20, c21, c22, c23);
  addRow(at + 12, c30, c31, c32, c33);
}

function addRow(at: number, x0: number, x1: number, x2: number, x3: number): void {
  block[at] += x0;
  block[at + 1] += x1;
  block[at + 2] += x2;
  block[at + 3] += x3;
}

/** Writes `block` out, plus the bias, and cut off below 0 if asked. */
function storeBlock(
  out: Matrix,
  row: number,
  column: number,
  rows: number,
  columns: number,
  bias: View | undefined,
  relu: boolean,
): void {
  const biasData = bias?.storage.elements(bias.dtype);
  const loadBias = bias && loadOf(bias.dtype);
  const store = storeOf(out.dtype);
  for (let i = 0; i < rows; i++) {
    const lineAt = out.offset + (row + i) * out.rowStride + column * out.columnStride;
    const tileRow = (i - (i % UNIT)) * COLUMNS + (i % UNIT) * UNIT;
    for (let j = 0; j < columns; j++) {
      const at = lineAt + j * out.columnStride;
      let value = block[tileRow + (j - (j % UNIT)) * UNIT + (j % UNIT)];
      if (bias !== undefined && biasData !== undefined) {
        const raw = biasData[bias.offset + (column + j) * bias.strides[0]];
        value += loadBias === undefined ? raw : loadBias(raw);
      }
      if (relu && value < 0) value = 0; // NaN stays
      out.data[at] = store === undefined ? value : store(value);
    }
  }
}

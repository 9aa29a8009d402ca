import { ArgumentError, ShapeError } from "../backend/errors.ts";
import type { Tensor } from "./tensor.ts";

/** A tensor whose axes carry letters. */
interface Labelled {
  readonly x: Tensor;
  readonly labels: string;
}

/**
 * Sums of products over named axes.
 *
 * Letters on the left that do not stand on the right are summed over; without `->` the result has the letters that occur
 * once, in alphabetical order. A letter may repeat within one operand only if its sizes are equal (its diagonal is taken).
 *
 * @throws {@link ArgumentError} for a malformed equation, {@link ShapeError} when sizes of one letter differ.
 * @see NumPy and PyTorch: `einsum`. Differs: no ellipsis.
 * @example
 * einsum("ij,jk->ik", ones([2, 3]), ones([3, 4])).shape; // => [2, 4]
 */
export function einsum(equation: string, ...tensors: readonly Tensor[]): Tensor {
  const { operands, output } = parse(equation, tensors);
  let result = sumLonely(operands[0], new Set([...output, ...operands.slice(1).flatMap((o) => [...o.labels])]));
  operands.slice(1).forEach((operand, i) => {
    const later = operands.slice(i + 2).flatMap((o) => [...o.labels]);
    result = contract(result, operand, new Set([...output, ...later]));
  });
  return result.x.permute([...output].map((c) => result.labels.indexOf(c)));
}

function parse(equation: string, tensors: readonly Tensor[]): { operands: Labelled[]; output: string } {
  const match = /^([a-zA-Z,]*)(->([a-zA-Z]*))?$/.exec(equation.replaceAll(" ", ""));
  const terms = match?.[1]?.split(",") ?? [];
  if (match === null || terms.length !== tensors.length) {
    throw new ArgumentError("einsum", `"${equation}" names ${terms.length} operands, got ${tensors.length} tensors. Write e.g. "ij,jk->ik".`);
  }
  const sizes = new Map<string, number>();
  const operands = terms.map((labels, i) => {
    const x = tensors[i];
    if (labels.length !== x.rank) {
      throw new ShapeError("einsum", `"${labels}" names ${labels.length} axes, operand ${i} is [${x.shape}].`);
    }
    [...labels].forEach((c, axis) => {
      const known = sizes.get(c) ?? x.shape[axis];
      if (known !== x.shape[axis]) throw new ShapeError("einsum", `axis "${c}" has sizes ${known} and ${x.shape[axis]} (${known} ≠ ${x.shape[axis]}).`);
      sizes.set(c, known);
    });
    return diagonal({ x, labels });
  });
  const all = terms.join("");
  const once = [...new Set(all)].filter((c) => all.indexOf(c) === all.lastIndexOf(c)).sort().join("");
  const output = match[2] === undefined ? once : (match[3] ?? "");
  for (const c of output) {
    if (!sizes.has(c) || output.indexOf(c) !== output.lastIndexOf(c)) {
      throw new ArgumentError("einsum", `"${c}" in the result of "${equation}" must stand on the left, and once on the right.`);
    }
  }
  return { operands, output };
}

/** Repeated letters of one operand: their diagonal. */
function diagonal({ x, labels }: Labelled): Labelled {
  for (let i = 0; i < labels.length; i++) {
    const j = labels.indexOf(labels[i], i + 1);
    if (j < 0) continue;
    const n = x.shape[i];
    const shape = x.shape.map((size, axis) => (axis === j ? 1 : size));
    const index = x._range(n).reshape(x.shape.map((_, axis) => (axis === i ? n : 1)));
    const picked = x.gather(j, index.expand(shape)).squeeze(j);
    return diagonal({ x: picked, labels: labels.slice(0, j) + labels.slice(j + 1) });
  }
  return { x, labels };
}

function sumLonely({ x, labels }: Labelled, wanted: ReadonlySet<string>): Labelled {
  const axes = [...labels].flatMap((c, i) => (wanted.has(c) ? [] : [i]));
  if (axes.length === 0) return { x, labels };
  return { x: x.sum(axes), labels: [...labels].filter((c) => wanted.has(c)).join("") };
}

/** Two operands to one, by a batched matrix product. */
function contract(left: Labelled, right: Labelled, wanted: ReadonlySet<string>): Labelled {
  const a = sumLonely(left, new Set([...wanted, ...right.labels]));
  const b = sumLonely(right, new Set([...wanted, ...left.labels]));
  const shared = [...a.labels].filter((c) => b.labels.includes(c));
  const batch = shared.filter((c) => wanted.has(c));
  const inner = shared.filter((c) => !wanted.has(c));
  const [m, n] = [[...a.labels].filter((c) => !shared.includes(c)), [...b.labels].filter((c) => !shared.includes(c))];
  const arrange = ({ x, labels }: Labelled, ...groups: string[][]): Tensor => {
    const ordered = x.permute(groups.flat().map((c) => labels.indexOf(c)));
    return ordered.reshape(groups.map((group) => group.reduce((p, c) => p * x.shape[labels.indexOf(c)], 1)));
  };
  const product = arrange(a, batch, m, inner).matmul(arrange(b, batch, inner, n)); // [batch, m, n]
  const size = (c: string): number => (a.labels.includes(c) ? a.x.shape[a.labels.indexOf(c)] : b.x.shape[b.labels.indexOf(c)]);
  const labels = [...batch, ...m, ...n];
  return { x: product.reshape(labels.map(size)), labels: labels.join("") };
}

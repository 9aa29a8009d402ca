import { ArgumentError, ShapeError } from "../backend/errors.ts";
import type { Tensor } from "./tensor.ts";

/** A tensor whose axes carry letters. */
interface Labelled {
  readonly x: Tensor;
  readonly labels: string;
}

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/**
 * Sums of products over named axes.
 *
 * Letters on the left that do not stand on the right are summed over; without `->` the result has the letters that occur
 * once, in alphabetical order. A letter twice in one operand takes its diagonal. `...` stands for any further axes, which
 * broadcast. Sizes of one letter are equal or 1.
 *
 * @throws {@link ArgumentError} for a malformed equation, {@link ShapeError} when sizes of one letter differ.
 * @see NumPy and PyTorch: `einsum`.
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
  const match = /^((?:[a-zA-Z,]|\.\.\.)*)(->((?:[a-zA-Z]|\.\.\.)*))?$/.exec(equation.replaceAll(" ", ""));
  const terms = match?.[1]?.split(",") ?? [];
  if (match === null || terms.length !== tensors.length) {
    throw new ArgumentError(
      "einsum",
      `"${equation}" names ${terms.length} operands, got ${tensors.length} tensors. Write e.g. "ij,jk->ik".`,
    );
  }
  const { spelled, further } = spellOut(equation, terms, tensors);
  const sizes = sizesOf(spelled, tensors);
  const operands = spelled.map((labels, i) => diagonal(squeezed({ x: tensors[i], labels }, sizes)));
  const all = spelled.join("");
  const once = [...new Set(all)].filter((c) => all.indexOf(c) === all.lastIndexOf(c) && !further.includes(c));
  const output = match[2] === undefined ? further + once.sort().join("") : (match[3] ?? "").replace("...", further);
  for (const c of output) {
    if (!sizes.has(c) || output.indexOf(c) !== output.lastIndexOf(c)) {
      throw new ArgumentError(
        "einsum",
        `"${c}" in the result of "${equation}" must stand on the left, and once on the right.`,
      );
    }
  }
  return { operands, output };
}

/** Gives the axes behind "..." letters nobody uses, aligned at the right. */
function spellOut(
  equation: string,
  terms: readonly string[],
  tensors: readonly Tensor[],
): { spelled: string[]; further: string } {
  const counts = terms.map((term, i) => {
    const named = term.replace("...", "").length;
    const rest = tensors[i].rank - named;
    if (term.replace("...", "").includes(".")) {
      throw new ArgumentError("einsum", `"${equation}" has "..." twice in one operand.`);
    }
    if (rest < 0 || (rest > 0 && !term.includes("..."))) {
      throw new ShapeError("einsum", `"${term}" names ${named} axes, operand ${i} is [${tensors[i].shape}].`);
    }
    return rest;
  });
  const free = [...letters].filter((c) => !equation.includes(c));
  const further = free.slice(0, Math.max(...counts)).join("");
  if (further.length < Math.max(...counts)) throw new ArgumentError("einsum", `"${equation}" leaves too few letters.`);
  const spelled = terms.map((term, i) => term.replace("...", further.slice(further.length - counts[i])));
  return { spelled, further };
}

function sizesOf(terms: readonly string[], tensors: readonly Tensor[]): Map<string, number> {
  const sizes = new Map<string, number>();
  terms.forEach((labels, i) => {
    [...labels].forEach((c, axis) => {
      const size = tensors[i].shape[axis];
      const known = sizes.get(c) ?? 1;
      const twin = tensors[i].shape[labels.indexOf(c)]; // a diagonal does not broadcast
      if (size !== twin)
        throw new ShapeError("einsum", `the diagonal of "${labels}" needs equal sizes (${twin} ≠ ${size}).`);
      if (size !== known && size !== 1 && known !== 1) {
        throw new ShapeError("einsum", `axis "${c}" has sizes ${known} and ${size} (${known} ≠ ${size}).`);
      }
      sizes.set(c, known === 1 ? size : known);
    });
  });
  return sizes;
}

/** Without axes of size 1 that broadcast: the other operands give the letter its size. */
function squeezed({ x, labels }: Labelled, sizes: ReadonlyMap<string, number>): Labelled {
  const gone = [...labels].flatMap((c, i) => (x.shape[i] === 1 && sizes.get(c) !== 1 ? [i] : []));
  if (gone.length === 0) return { x, labels };
  return { x: x.squeeze(gone), labels: [...labels].filter((_, i) => !gone.includes(i)).join("") };
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
  const size = (c: string): number =>
    a.labels.includes(c) ? a.x.shape[a.labels.indexOf(c)] : b.x.shape[b.labels.indexOf(c)];
  const labels = [...batch, ...m, ...n];
  return { x: product.reshape(labels.map(size)), labels: labels.join("") };
}

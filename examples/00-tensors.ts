/**
 * Tensors and gradients: making, reading and joining tensors, broadcasting, views, backward, and a function of one's own.
 * Whoever knows PyTorch can skim this; docs/guide/coming-from-pytorch.md lists what differs.
 */
import assert from "node:assert/strict";
import {
  arange,
  cat,
  elementwise,
  expr,
  gradcheck,
  manualSeed,
  noGrad,
  ones,
  randn,
  type Tensor,
  tensor,
  where,
} from "kindling";

// --- Making and reading ---------------------------------------------------------------------------------------------

manualSeed(1);
const x = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
console.log(String(x));
assert.deepEqual([x.shape, x.dtype, x.numel()], [[2, 3], "float32", 6]);
assert.deepEqual(x.toArray(), [
  [1, 2, 3],
  [4, 5, 6],
]);
assert.equal(x.at(1, 2).item(), 6);

const labels = tensor([0, 2], { dtype: "int32" });
assert.deepEqual(x.gather(1, labels.unsqueeze(1)).flatten().toArray(), [1, 6]); // one entry of each row

// --- Broadcasting and views -----------------------------------------------------------------------------------------

const columnMeans = x.mean(0);
assert.deepEqual(x.sub(columnMeans).toArray(), [
  [-1.5, -1.5, -1.5],
  [1.5, 1.5, 1.5],
]);
assert.deepEqual(x.add(tensor([[10], [20]])).toArray(), [
  [11, 12, 13],
  [24, 25, 26],
]);

// a view shares memory with what it looks at
const grid = arange(6).reshape([2, 3]);
const column = grid.select(1, 0);
noGrad(() => column.add_(100));
assert.deepEqual(grid.toArray(), [
  [100, 1, 2],
  [103, 4, 5],
]);
assert.deepEqual(cat([grid, ones([1, 3])]).shape, [3, 3]);
assert.deepEqual(where(grid.gt(50), 1, 0).toArray(), [
  [1, 0, 0],
  [1, 0, 0],
]);

// mistakes name both sides
assert.throws(() => x.matmul(ones([2, 2])), /matmul: inner sizes differ: \[2,3\] · \[2,2\] \(3 ≠ 2\)/);

// --- Gradients ------------------------------------------------------------------------------------------------------

const w = tensor([2, -3], { requiresGrad: true });
w.mul(w).sum().backward();
assert.deepEqual(w.grad?.toArray(), [4, -6]); // d(w²)/dw = 2w
w.mul(10).sum().backward(); // gradients add up until they are forgotten
assert.deepEqual(w.grad?.toArray(), [14, 4]);
w.grad = undefined;

// linear regression, with nothing but tensors
const [slope, offset] = [3, -1];
const inputs = randn([200, 1]);
const targets = inputs
  .mul(slope)
  .add(offset)
  .add(randn([200, 1]).mul(0.1));
const a = tensor([0], { requiresGrad: true });
const b = tensor([0], { requiresGrad: true });
for (let step = 0; step < 100; step++) {
  const error = inputs.mul(a).add(b).sub(targets);
  error.mul(error).mean().backward();
  noGrad(() => {
    for (const p of [a, b]) {
      if (p.grad) p.sub_(p.grad.mul(0.1));
      p.grad = undefined;
    }
  });
}
console.log(`fitted: y = ${a.item().toFixed(2)}·x + ${b.item().toFixed(2)}, made with y = 3·x − 1`);
assert.ok(Math.abs(a.item() - slope) < 0.05 && Math.abs(b.item() - offset) < 0.05, "the line is another");

// --- A function of one's own ----------------------------------------------------------------------------------------

// A scalar expression is enough: broadcasting, the gradient and one fused loop on every backend follow from it.
const swish = elementwise("swish", 2, (v, beta) => expr.mul(v, expr.sigmoid(expr.mul(beta, v))));
const v = randn([5], { dtype: "float64", device: "js", requiresGrad: true });
const composed = (t: Tensor) => t.mul(t.mul(1.5).sigmoid());
assert.ok(swish(v, 1.5).sub(composed(v)).abs().amax().item() < 1e-12, "swish is not x·σ(1.5·x)");
gradcheck((t) => swish(t, 1.5), [v]); // against finite differences; throws where they differ
console.log(`swish(1) = ${swish(tensor(1), 1.5).item().toFixed(4)}, its gradient checked against finite differences`);

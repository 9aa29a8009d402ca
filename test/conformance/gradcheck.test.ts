import { describe, expect, test } from "vitest";
import { GradientError } from "../../src/backend/errors.ts";
import { apply } from "../../src/tensor/apply.ts";
import {
  cat,
  einsum,
  elementwise,
  expr,
  gradcheck,
  gradgradcheck,
  stack,
  type Tensor,
  tensor,
  where,
} from "../../src/tensor/index.ts";
import { linear } from "../../src/tensor/ops/matmul.ts";
import { crossEntropyOp } from "../../src/tensor/ops/softmax.ts";

/** Leaves in float64; values between low and high in no order, at least 0.01 apart so that order never flips. */
function leaf(shape: readonly number[], low = -2, high = 2, seed = 1): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  const values = Float64Array.from({ length: count }, (_, i) => {
    const place = (((i + seed) * 7919) % 1009) / 1009;
    return low + (high - low) * place;
  });
  return tensor(values, { shape, dtype: "float64", device: "js", requiresGrad: true });
}

function index(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
  return tensor(Int32Array.from(values), { shape, device: "js" });
}

function mask(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
  return tensor(values, { shape, dtype: "bool", device: "js" });
}

type Check = readonly [(...xs: readonly Tensor[]) => Tensor | readonly Tensor[], ...inputs: readonly Tensor[]];

const positive = leaf([3, 4], 0.2, 3);
const any = leaf([3, 4]);
const sech = elementwise("sech", 1, (x) => expr.div(2, expr.add(expr.exp(x), expr.exp(expr.neg(x)))));
const bend = elementwise("bend", 3, (x, a, b) =>
  expr.where(expr.less(x, a), expr.mul(x, b), expr.pow(expr.abs(x), expr.atan2(a, b))),
);

const checks: Record<string, Check> = {
  add: [(a, b) => a.add(b), any, leaf([4])],
  sub: [(a, b) => a.sub(b), leaf([3, 1]), leaf([1, 4])],
  mul: [(a, b) => a.mul(b), leaf([2, 3, 1]), leaf([3, 4])],
  div: [(a, b) => a.div(b), any, leaf([4], 0.3, 2)],
  pow: [(a, b) => a.pow(b), positive, leaf([4])],
  "pow by a number": [(a) => a.pow(3), any],
  "pow of negatives by whole numbers": [(a) => a.pow(-2), leaf([5], -3, -1)],
  remainder: [(a, b) => a.remainder(b), leaf([5], 1.1, 1.9), leaf([5], 2.1, 2.9)],
  maximum: [(a, b) => a.maximum(b), any, leaf([4], -1, 1, 5)],
  minimum: [(a, b) => a.minimum(b), any, leaf([4], -1, 1, 5)],
  atan2: [(a, b) => a.atan2(b), any, leaf([4], 0.3, 2)],
  lerp: [(a, b, t) => a.lerp(b, t), any, leaf([4]), leaf([3, 1])],
  abs: [(a) => a.abs(), any],
  square: [(a) => a.square(), any],
  exp: [(a) => a.exp(), any],
  expm1: [(a) => a.expm1(), any],
  log: [(a) => a.log(), positive],
  log1p: [(a) => a.log1p(), positive],
  log2: [(a) => a.log2(), positive],
  log10: [(a) => a.log10(), positive],
  sqrt: [(a) => a.sqrt(), positive],
  rsqrt: [(a) => a.rsqrt(), positive],
  reciprocal: [(a) => a.reciprocal(), positive],
  sin: [(a) => a.sin(), any],
  cos: [(a) => a.cos(), any],
  tan: [(a) => a.tan(), leaf([5], -1, 1)],
  tanh: [(a) => a.tanh(), any],
  sigmoid: [(a) => a.sigmoid(), any],
  erf: [(a) => a.erf(), any],
  relu: [(a) => a.relu(), any],
  leakyRelu: [(a) => a.leakyRelu(0.2), any],
  elu: [(a) => a.elu(1.5), any],
  "elu of large numbers": [(a) => a.elu(), leaf([3], 700, 800)],
  gelu: [(a) => a.gelu(), any],
  silu: [(a) => a.silu(), any],
  softplus: [(a) => a.softplus(2), any],
  mish: [(a) => a.mish(), any],
  logSigmoid: [(a) => a.logSigmoid(), any],
  clamp: [(a) => a.clamp({ min: -1.001, max: 0.502 }), any],
  "clamp by tensors": [(a, b, c) => a.clamp({ min: b, max: c }), any, leaf([4], -1.5, -0.5), leaf([3, 1], 0.2, 1)],
  where: [(a, b) => where(mask([1, 0, 1, 0]), a, b), any, leaf([3, 1])],
  maskedFill: [(a) => a.maskedFill(mask([1, 0, 1, 0]), 3), any],
  "user's elementwise": [(a) => sech(a), any],
  "user's elementwise of three": [(a, b, c) => bend(a, b, c), any, leaf([4], -0.3, 0.3), leaf([3, 1], 0.5, 1)],
  "user's elementwise with a number": [(a, c) => bend(a, 0.1, c), any, leaf([3, 1], 0.5, 1)],

  sum: [(a) => [a.sum(), a.sum(0), a.sum(-1, { keepDims: true })], any],
  mean: [(a) => [a.mean(), a.mean([0, 2])], leaf([2, 3, 4])],
  var: [(a) => [a.var(), a.var(1), a.var(0, { correction: 0, keepDims: true })], any],
  std: [(a) => [a.std(), a.std(1)], any],
  norm: [(a) => [a.norm(), a.norm(1), a.norm(0, { p: 1 }), a.norm(0, { p: 3 }), a.norm(1, { p: Infinity })], any],
  logSumExp: [(a) => [a.logSumExp(), a.logSumExp(1, { keepDims: true })], any],
  softmax: [(a) => [a.softmax(-1), a.softmax(0)], any],
  logSoftmax: [(a) => [a.logSoftmax(-1), a.logSoftmax(0)], any],
  amax: [(a) => [a.amax(), a.amax(0), a.amin([0, 1])], any],
  max: [(a) => [a.max(1).values, a.min(0).values], any],
  prod: [(a) => [a.prod(), a.prod(1)], leaf([2, 3])],
  "prod with zeros": [(a) => a.prod(1), leafOf([0, 2, 3, 0, 0, 5, 1, -2, 3], [3, 3])],
  cumsum: [(a) => [a.cumsum(0), a.cumsum(1)], any],
  cumprod: [(a) => [a.cumprod(0), a.cumprod(1)], any],
  "cumprod with zeros": [(a) => a.cumprod(0), leafOf([2, 0, 3, 0, 4], [5])],
  sort: [(a) => [a.sort(0).values, a.sort(1, { descending: true }).values], any],
  topk: [(a) => a.topk(2, 1).values, any],
  sumTo: [(a) => a.sumTo([3, 1]), leaf([2, 3, 4])],

  reshape: [(a) => a.reshape([2, 6]).square(), any],
  "reshape of a view": [(a) => a.transpose(0, 1).reshape([2, 6]).square(), any],
  permute: [(a) => a.permute([2, 0, 1]).square(), leaf([2, 3, 4])],
  expand: [(a) => a.expand([2, 3, 4]).square(), leaf([3, 1])],
  repeat: [(a) => a.repeat([2, 1, 2]).square(), leaf([3, 1])],
  slice: [(a) => a.slice(0, 1, 3).slice(1, 0, 4, 3).square(), any],
  select: [(a) => [a.select(1, -1).square(), a.at(1, 2).exp()], any],
  split: [(a) => a.split([1, 3], 1).map((x) => x.square()), any],
  chunk: [(a) => a.chunk(2, 1).map((x) => x.square()), any],
  cat: [(a, b) => cat([a, b, a], 1).square(), any, leaf([3, 2])],
  stack: [(a, b) => stack([a, b], -1).square(), leaf([3]), leaf([3], -1, 1)],
  flip: [(a) => a.flip([0, 1]).square(), any],
  roll: [(a) => [a.roll(3).square(), a.roll([1, -1], [0, 1]).square()], any],
  pad: [(a) => a.pad([1, -1, 0, 2], 1.5).square(), any],
  "tril, triu": [(a) => [a.tril().square(), a.triu(1).square()], any],
  "channels last": [(a) => a.contiguous({ memoryFormat: "channelsLast" }).square(), leaf([2, 3, 2, 2])],
  "to float32 and back": [(a) => a.mul(1.5).to("float64"), any],

  matmul: [(a, b) => a.matmul(b), any, leaf([4, 2])],
  "matmul of batches": [(a, b) => a.matmul(b), leaf([2, 1, 2, 3]), leaf([3, 3, 2])],
  "matmul of vectors": [(a, b, c) => [a.matmul(b), b.matmul(c), c.matmul(c)], any, leaf([4, 4]), leaf([4])],
  linear: [(x, w, b) => linear(x, w, b), leaf([2, 2, 3]), leaf([4, 3]), leaf([4])],
  einsum: [(a, b) => [einsum("ij,kj->ki", a, b), einsum("...i,ki", a, b)], any, leaf([2, 4])],
  "einsum of a diagonal": [(a) => [einsum("ii->i", a).square(), einsum("ii", a).square()], leaf([3, 3])],
  gather: [(a) => a.gather(1, index([0, 0, 3, 1, 2, 2], [3, 2])).square(), any],
  scatterAdd: [(a, b) => a.scatterAdd(1, index([0, 0, 3, 1, 2, 2], [3, 2]), b).square(), any, leaf([3, 2])],
  indexSelect: [(a) => a.indexSelect(0, index([2, 0, 2])).square(), any],
  crossEntropy: [(a) => apply(crossEntropyOp, [a, index([1, -100, 3])], { ignoreIndex: -100 }).square(), any],
  "a whole net": [
    (x, w, b, v) => x.matmul(w).add(b).gelu().matmul(v).logSoftmax(1).mul(0.3).sum(),
    any,
    leaf([4, 3]),
    leaf([3]),
    leaf([3, 2]),
  ],
};

describe.each(Object.entries(checks))("%s", (_name, [fn, ...inputs]) => {
  test("has the gradient that finite differences measure", () => {
    gradcheck(fn, inputs);
  });
  test("has second gradients", () => {
    gradgradcheck(fn, inputs, { atol: 1e-4 });
  });
});

describe("gradcheck", () => {
  test("finds a wrong derivative, and says where", () => {
    const wrong = elementwise("wrong", 1, (x) => expr.mul(x, x), { derivative: ([x], g) => [expr.mul(g, x)] });
    expect(() => gradcheck((a) => wrong(a), [leafOf([3], [1])])).toThrow(GradientError);
    expect(() => gradcheck((a) => wrong(a), [leafOf([3], [1])])).toThrow(/input 0 \[1\] at element 0/);
  });
  test("leaves .grad alone", () => {
    const x = leafOf([1, 2], [2]);
    x.square().sum().backward();
    const { grad } = x;
    gradcheck((a) => a.exp(), [x]);
    expect(x.grad).toBe(grad);
    expect(grad?.toArray()).toEqual([2, 4]);
  });
});

function leafOf(values: readonly number[], shape: readonly number[]): Tensor {
  return tensor(values, { shape, dtype: "float64", device: "js", requiresGrad: true });
}

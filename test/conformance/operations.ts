/** How kindling computes what `test/golden/make.py` records, by the names used there. */
import type { DType } from "../../src/backend/dtype.ts";
import { apply } from "../../src/tensor/apply.ts";
import { broadcastTensors, cat, einsum, stack, type Tensor, where } from "../../src/tensor/index.ts";
import { linear } from "../../src/tensor/ops/matmul.ts";
import { crossEntropyOp } from "../../src/tensor/ops/softmax.ts";

/** Arguments of a case, all of those any operation takes. */
export interface Arguments {
  readonly other?: number;
  readonly slope?: number;
  readonly alpha?: number;
  readonly beta?: number;
  readonly min?: number;
  readonly max?: number;
  readonly t?: number;
  readonly value?: number;
  readonly axis?: number | readonly number[];
  readonly axes?: number | readonly number[];
  readonly keepDims?: boolean;
  readonly correction?: number;
  readonly p?: number | "Infinity";
  readonly descending?: boolean;
  readonly largest?: boolean;
  readonly k?: number;
  readonly shape?: readonly number[];
  readonly sizes?: number | readonly number[];
  readonly order?: readonly number[];
  readonly times?: readonly number[];
  readonly start?: number;
  readonly end?: number;
  readonly step?: number;
  readonly index?: number;
  readonly count?: number;
  readonly shift?: number | readonly number[];
  readonly a?: number;
  readonly b?: number;
  readonly dtype?: DType;
  readonly equation?: string;
  readonly ignoreIndex?: number;
}

type Run = (inputs: readonly Tensor[], args: Arguments) => Tensor | Tensor[];

const unary = {
  neg: (x) => x.neg(),
  abs: (x) => x.abs(),
  sign: (x) => x.sign(),
  floor: (x) => x.floor(),
  ceil: (x) => x.ceil(),
  round: (x) => x.round(),
  trunc: (x) => x.trunc(),
  square: (x) => x.square(),
  exp: (x) => x.exp(),
  expm1: (x) => x.expm1(),
  log: (x) => x.log(),
  log1p: (x) => x.log1p(),
  log2: (x) => x.log2(),
  log10: (x) => x.log10(),
  sqrt: (x) => x.sqrt(),
  rsqrt: (x) => x.rsqrt(),
  reciprocal: (x) => x.reciprocal(),
  sin: (x) => x.sin(),
  cos: (x) => x.cos(),
  tan: (x) => x.tan(),
  tanh: (x) => x.tanh(),
  sigmoid: (x) => x.sigmoid(),
  erf: (x) => x.erf(),
  relu: (x) => x.relu(),
  gelu: (x) => x.gelu(),
  silu: (x) => x.silu(),
  mish: (x) => x.mish(),
  logSigmoid: (x) => x.logSigmoid(),
  logicalNot: (x) => x.logicalNot(),
  isNan: (x) => x.isNan(),
  isFinite: (x) => x.isFinite(),
  isInf: (x) => x.isInf(),
  t: (x) => x.t(),
  contiguous: (x) => x.contiguous(),
  clone: (x) => x.clone(),
} satisfies Record<string, (x: Tensor) => Tensor>;

const binary = {
  add: (a, b) => a.add(b),
  sub: (a, b) => a.sub(b),
  mul: (a, b) => a.mul(b),
  div: (a, b) => a.div(b),
  pow: (a, b) => a.pow(b),
  remainder: (a, b) => a.remainder(b),
  floorDivide: (a, b) => a.floorDivide(b),
  maximum: (a, b) => a.maximum(b),
  minimum: (a, b) => a.minimum(b),
  atan2: (a, b) => a.atan2(b),
  eq: (a, b) => a.eq(b),
  ne: (a, b) => a.ne(b),
  lt: (a, b) => a.lt(b),
  le: (a, b) => a.le(b),
  gt: (a, b) => a.gt(b),
  ge: (a, b) => a.ge(b),
  logicalAnd: (a, b) => a.logicalAnd(b),
  logicalOr: (a, b) => a.logicalOr(b),
  logicalXor: (a, b) => a.logicalXor(b),
} satisfies Record<string, (a: Tensor, b: Tensor | number) => Tensor>;

const keep = ({ keepDims }: Arguments): { keepDims?: boolean } => (keepDims === undefined ? {} : { keepDims });
const number = (x: number | readonly number[] | undefined): number => (typeof x === "number" ? x : Number.NaN);
const list = (x: number | readonly number[] | undefined): readonly number[] => (typeof x === "object" ? x : []);
const spread = (args: Arguments): { keepDims?: boolean; correction?: number } =>
  args.correction === undefined ? keep(args) : { ...keep(args), correction: args.correction };

const others: Record<string, Run> = {
  leakyRelu: ([x], { slope }) => x.leakyRelu(slope),
  elu: ([x], { alpha }) => x.elu(alpha),
  softplus: ([x], { beta }) => x.softplus(beta),
  clamp: ([x], { min, max }) => x.clamp({ ...(min !== undefined && { min }), ...(max !== undefined && { max }) }),
  clampTensors: ([x, min, max]) => x.clamp({ min, max }),
  lerp: ([a, b, t], args) => a.lerp(b, t ?? args.t ?? Number.NaN),
  where: ([condition, a, b]) => where(condition, a, b),
  maskedFill: ([x, mask], { value = 0 }) => x.maskedFill(mask, value),

  sum: ([x], a) => x.sum(a.axes, keep(a)),
  mean: ([x], a) => x.mean(a.axes, keep(a)),
  var: ([x], a) => x.var(a.axes, spread(a)),
  std: ([x], a) => x.std(a.axes, spread(a)),
  prod: ([x], a) => x.prod(a.axis === undefined ? undefined : number(a.axis), keep(a)),
  amax: ([x], a) => x.amax(a.axes, keep(a)),
  amin: ([x], a) => x.amin(a.axes, keep(a)),
  max: ([x]) => x.max(),
  min: ([x]) => x.min(),
  maxAlong: ([x], a) => pair(x.max(number(a.axis), keep(a))),
  minAlong: ([x], a) => pair(x.min(number(a.axis), keep(a))),
  argmax: ([x], a) => x.argmax(a.axis === undefined ? undefined : number(a.axis), keep(a)),
  argmin: ([x], a) => x.argmin(a.axis === undefined ? undefined : number(a.axis), keep(a)),
  any: ([x], a) => x.any(a.axes, keep(a)),
  all: ([x], a) => x.all(a.axes, keep(a)),
  norm: ([x], a) => x.norm(a.axes, { ...keep(a), ...(a.p !== undefined && { p: Number(a.p) }) }),
  logSumExp: ([x], a) => x.logSumExp(a.axes, keep(a)),
  softmax: ([x], { axis }) => x.softmax(number(axis)),
  logSoftmax: ([x], { axis }) => x.logSoftmax(number(axis)),
  cumsum: ([x], { axis }) => x.cumsum(number(axis)),
  cumprod: ([x], { axis }) => x.cumprod(number(axis)),
  sort: ([x], { axis, descending = false }) => pair(x.sort(axis === undefined ? -1 : number(axis), { descending })),
  topk: ([x], { k = 0, axis, largest = true }) => pair(x.topk(k, number(axis), { largest })),

  reshape: ([x], { shape = [] }) => x.reshape(shape),
  flatten: ([x], { start, end }) => x.flatten(start, end),
  unflatten: ([x], { axis, sizes }) => x.unflatten(number(axis), list(sizes)),
  permute: ([x], { order = [] }) => x.permute(order),
  transpose: ([x], { a, b }) => x.transpose(number(a), number(b)),
  squeeze: ([x], { axes }) => x.squeeze(axes),
  unsqueeze: ([x], { axis }) => x.unsqueeze(number(axis)),
  expand: ([x], { sizes }) => x.expand(list(sizes)),
  repeat: ([x], { times = [] }) => x.repeat(times),
  slice: ([x], { axis, start, end, step }) => x.slice(number(axis), start, end, step),
  select: ([x], { axis, index }) => x.select(number(axis), number(index)),
  at: ([x]) => x.at(1, -2),
  split: ([x], { sizes = 1, axis }) => x.split(sizes, axis === undefined ? 0 : number(axis)),
  chunk: ([x], { count = 1, axis }) => x.chunk(count, axis === undefined ? 0 : number(axis)),
  flip: ([x], { axes }) => x.flip(axes),
  roll: ([x], { shift = 0, axis }) => x.roll(shift, axis),
  pad: ([x], { sizes, value }) => x.pad(list(sizes), value),
  tril: ([x], { k }) => x.tril(k),
  triu: ([x], { k }) => x.triu(k),
  cat: (xs, { axis }) => cat(xs, axis === undefined ? 0 : number(axis)),
  stack: (xs, { axis }) => stack(xs, axis === undefined ? 0 : number(axis)),
  broadcastTensors: (xs) => broadcastTensors(...xs),
  to: ([x], { dtype = "float32" }) => x.to(dtype),

  matmul: ([a, b]) => a.matmul(b),
  linear: ([x, w, b]) => linear(x, w, b),
  einsum: (xs, { equation = "" }) => einsum(equation, ...xs),
  gather: ([x, index], { axis }) => x.gather(number(axis), index),
  scatterAdd: ([x, index, source], { axis }) => x.scatterAdd(number(axis), index, source),
  indexSelect: ([x, index], { axis }) => x.indexSelect(number(axis), index),
  crossEntropy: ([x, y], { ignoreIndex = -100 }) => apply(crossEntropyOp, [x, y], { ignoreIndex }),
};

/** Every recorded operation. */
export const operations: Readonly<Record<string, Run>> = {
  ...Object.fromEntries(Object.entries(unary).map(([name, fn]): [string, Run] => [name, ([x]) => fn(x)])),
  ...Object.fromEntries(
    Object.entries(binary).map(([name, fn]): [string, Run] => [name, ([a, b], { other = 0 }) => fn(a, b ?? other)]),
  ),
  ...others,
};

function pair({ values, indices }: { values: Tensor; indices: Tensor }): Tensor[] {
  return [values, indices];
}

import { describe, expect, test } from "vitest";
import {
  ArgumentError,
  DataError,
  DeviceError,
  DTypeError,
  GradientError,
  IndexError,
  KindlingError,
  ShapeError,
} from "../../src/backend/errors.ts";
import {
  arange,
  bernoulli,
  broadcastTensors,
  cat,
  einsum,
  elementwise,
  empty,
  expr,
  eye,
  full,
  Generator,
  gradcheck,
  linspace,
  manualSeed,
  ones,
  rand,
  randint,
  randn,
  randperm,
  setDefaultDevice,
  setRandomState,
  stack,
  type Tensor,
  type TensorData,
  tensor,
  where,
  zeros,
} from "../../src/tensor/index.ts";
import { devices } from "./devices.ts";

type Refusal = readonly [
  call: () => unknown,
  error: new (...args: never[]) => KindlingError,
  ...words: (string | number)[],
];

/** What only JavaScript callers can pass. */
function untyped(value: unknown): TensorData & readonly number[] {
  return JSON.parse(
    JSON.stringify({ value }, (_, v) => (v === undefined ? null : v)),
    (_, v) => v,
  ).value;
}

describe.each(devices)("bad input on %s is refused with the values:", (device) => {
  const f = (...shape: number[]): Tensor => ones(shape, { device });
  const i = (data: number[]): Tensor => tensor(data, { dtype: "int32", device });
  const b = (data: number[]): Tensor => tensor(data, { dtype: "bool", device });
  const nan = Number.NaN;

  const refusals: Record<string, Refusal> = {
    // making
    "tensor of ragged rows": [() => tensor([[1, 2], [3]], { device }), ShapeError, 2, 1],
    "tensor of rows and numbers": [() => tensor([[1], 2], { device }), ShapeError, 2],
    "tensor of too deep rows": [() => tensor([1, [2]], { device }), ShapeError],
    "tensor of null": [() => tensor(untyped([1, null]), { device }), DataError, "null"],
    "tensor of null alone": [() => tensor(untyped(null), { device }), DataError, "null"],
    "tensor of text": [() => tensor(untyped(["1"]), { device }), DataError, "string"],
    "tensor of an object": [() => tensor(untyped({ a: 1 }), { device }), DataError, "object"],
    "tensor with a hole": [() => tensor(new Array<number>(3), { device }), DataError, "undefined"],
    "tensor of a wrong shape": [() => tensor([1, 2, 3], { shape: [2, 2], device }), ShapeError, 3, 4],
    "tensor of a negative shape": [() => tensor([1, 2], { shape: [-1], device }), ShapeError, -1],
    "int32 beyond its range": [() => tensor([1, 3e9], { dtype: "int32", device }), DataError, 3e9, 1, 2147483647],
    "int32 of NaN": [() => tensor([nan], { dtype: "int32", device }), DataError, "NaN"],
    "uint8 beyond its range": [() => tensor([256], { dtype: "uint8", device }), DataError, 256, 255],
    "NaN sizes": [() => zeros([2, nan], { device }), ShapeError, "NaN"],
    "negative sizes": [() => ones([-1], { device }), ShapeError, -1],
    "broken sizes": [() => empty([1.5], { device }), ShapeError, 1.5],
    "infinite sizes": [() => rand([Number.POSITIVE_INFINITY], { device }), ShapeError, "Infinity"],
    "too many elements": [() => zeros([2 ** 30, 2 ** 30], { device }), ShapeError, 2 ** 30],
    "sizes that are no list": [() => zeros(untyped(3), { device }), ArgumentError, 3],
    "unknown dtype": [() => zeros([1], { dtype: JSON.parse('"float8"'), device }), DTypeError, "float8", "float32"],
    "unknown device": [() => zeros([1], { device: "tpu" }), DeviceError, "tpu"],
    "unknown default device": [() => setDefaultDevice("tpu"), DeviceError, "tpu"],
    "full of what does not fit": [() => full([2], 300, { dtype: "uint8", device }), DataError, 300, 255],
    "arange away from its end": [() => arange(0, 5, -1, { device }), ArgumentError, 5, -1],
    "arange in steps of 0": [() => arange(0, 5, 0, { device }), ArgumentError, 0],
    "arange of NaN": [() => arange(nan, { device }), ArgumentError, "NaN"],
    "arange without end": [() => arange(0, 1e300, 1, { device }), ArgumentError, 1e300],
    "linspace of a broken count": [() => linspace(0, 1, 2.5, { device }), ArgumentError, 2.5],
    "linspace of a huge count": [() => linspace(0, 1, 1e15, { device }), ArgumentError, 1e15],
    "eye of NaN": [() => eye(nan, 2, { device }), ShapeError, "NaN"],
    // random
    "randint of an empty range": [() => randint(3, 3, [1], { device }), ArgumentError, 3],
    "randint beyond its dtype": [() => randint(0, 2 ** 32, [1], { device }), DataError, 2 ** 32 - 1],
    "randint of fractions": [() => randint(0.5, 3, [1], { device }), ArgumentError, 0.5],
    "randperm of a negative count": [() => randperm(-1, { device }), ArgumentError, -1],
    "rand of integers": [() => rand([1], { dtype: "int32", device }), DTypeError, "int32"],
    "randn of bools": [() => randn([1], { dtype: "bool", device }), DTypeError, "bool"],
    "bernoulli beyond 1": [() => bernoulli([1], 1.5, { device }), ArgumentError, 1.5],
    "bernoulli of NaN": [() => bernoulli([1], nan, { device }), ArgumentError, "NaN"],
    "negative seed": [() => manualSeed(-1), ArgumentError, -1],
    "broken seed": [() => new Generator(0.5), ArgumentError, 0.5],
    "broken stream": [() => new Generator(0, 2 ** 32), ArgumentError, 2 ** 32],
    "broken state": [() => setRandomState({ seed: 1, counter: nan }), ArgumentError, "NaN"],
    // elementwise
    "shapes that do not broadcast": [() => f(2, 3).add(f(2)), ShapeError, "2,3", 3, 2],
    "shapes that do not broadcast, of three": [() => where(b([1, 0]), f(3), 0), ShapeError, 2, 3],
    "a mask of floats": [() => f(2).maskedFill(f(2), 0), DTypeError, "float32"],
    "a condition of integers": [() => where(i([1]), f(1), f(1)), DTypeError, "int32"],
    "a condition of integers with numbers": [() => where(i([1]), 0, f(1)), DTypeError, "int32"],
    "maskedFill of what does not fit": [
      () => i([1]).maskedFill(b([1]), Number.NEGATIVE_INFINITY),
      DTypeError,
      "-Infinity",
      "int32",
    ],
    "clamp without ends": [() => f(1).clamp({}), ArgumentError],
    "elementwise of too few": [() => elementwise("f", 2, (x, y) => expr.add(x, y))(f(1)), ArgumentError, 2, 1],
    "elementwise of numbers only": [() => elementwise("f", 1, (x) => x)(3), ArgumentError],
    "in place into a smaller shape": [() => f(1).add_(f(3)), KindlingError, 3, 1],
    "in place into integers": [() => i([1]).add_(0.5), DTypeError, "float32", "int32"],
    "division in place of integers": [() => i([1]).div_(2), DTypeError, "float32", "int32"],
    "fill_ of what does not fit": [() => i([1]).fill_(nan), DataError, "NaN"],
    "copy_ from a larger shape": [() => f(2).copy_(f(3)), ShapeError, 3, 2],
    "integers to a negative power": [() => i([2]).pow(-1), ArgumentError, -1, "int32"],
    "integers divided by 0": [() => i([2]).floorDivide(0), ArgumentError, "int32", 0],
    "the rest of integers by 0": [() => i([2]).remainder(0), ArgumentError, "int32", 0],
    "bools subtracted": [() => b([1]).sub(b([1])), DTypeError, "bool"],
    "bools negated": [() => b([1]).neg(), DTypeError, "bool"],
    // reductions
    "axis out of range": [() => f(2, 3).sum(2), IndexError, 2, "-2 to 1"],
    "axis far below": [() => f(2, 3).mean(-3), IndexError, -3],
    "axis of NaN": [() => f(2).sum(nan), IndexError, "NaN"],
    "axis twice": [() => f(2, 3).sum([0, -2]), ArgumentError, "0,-2"],
    "mean of integers": [() => i([1]).mean(), DTypeError, "int32"],
    "var of bools": [() => b([1]).var(), DTypeError, "bool"],
    "softmax of integers": [() => i([1]).softmax(0), DTypeError, "int32"],
    "softmax beyond the axes": [() => f(2).softmax(1), IndexError, 1],
    "logSumExp of integers": [() => i([1]).logSumExp(), DTypeError, "int32"],
    "norm of integers": [() => i([1]).norm(), DTypeError, "int32"],
    "norm of order 0": [() => f(2).norm(undefined, { p: 0 }), ArgumentError, 0],
    "norm of order NaN": [() => f(2).norm(undefined, { p: nan }), ArgumentError, "NaN"],
    "max of nothing": [() => zeros([0], { device }).max(), ShapeError, 0],
    "max along nothing": [() => zeros([2, 0], { device }).max(1), ShapeError, "2,0"],
    "amin of nothing": [() => zeros([2, 0], { device }).amin(1), ShapeError, "2,0"],
    "argmax of nothing": [() => zeros([0, 3], { device }).argmax(0), ShapeError, "0,3"],
    "argmin beyond the axes": [() => f(2).argmin(1), IndexError, 1],
    "cumsum beyond the axes": [() => f(2).cumsum(-2), IndexError, -2],
    "sort beyond the axes": [() => f(2).sort(1), IndexError, 1],
    "topk of too many": [() => f(2, 3).topk(4), IndexError, 4, 3],
    "topk of a fraction": [() => f(2, 3).topk(1.5), IndexError, 1.5],
    "prod beyond the axes": [() => f(2).prod(1), IndexError, 1],
    // movement
    "reshape to another count": [() => f(2, 3).reshape([4]), ShapeError, "2,3", 6, 4],
    "reshape with two holes": [() => f(2, 3).reshape([-1, -1]), ShapeError],
    "reshape that leaves a rest": [() => f(2, 3).reshape([4, -1]), ShapeError, "4,-1"],
    "reshape to NaN": [() => f(2).reshape([nan]), ShapeError, "NaN"],
    "reshape to negative sizes": [() => f(2).reshape([-2]), ShapeError, -2],
    "reshape of nothing with a hole": [() => zeros([0], { device }).reshape([0, -1]), ShapeError],
    "view that needs a copy": [() => f(2, 3).transpose(0, 1).view([6]), ShapeError, "3,2", 6],
    "flatten backwards": [() => f(2, 3).flatten(1, 0), ArgumentError, 1, 0],
    "unflatten that does not fit": [() => f(2, 3).unflatten(1, [2, 2]), ShapeError],
    "permute that names an axis twice": [() => f(2, 3).permute([0, 0]), ArgumentError, "0,0"],
    "permute that leaves one out": [() => f(2, 3).permute([0]), ArgumentError, 0, 2],
    "transpose beyond the axes": [() => f(2, 3).transpose(0, 2), IndexError, 2],
    "t of three axes": [() => f(1, 2, 3).t(), ShapeError, "1,2,3"],
    "squeeze beyond the axes": [() => f(1).squeeze(1), IndexError, 1],
    "unsqueeze beyond the axes": [() => f(1).unsqueeze(3), IndexError, 3],
    "expand of a larger axis": [() => f(2).expand([3]), ShapeError, 2, 3],
    "expand to fewer axes": [() => f(1, 2).expand([2]), ShapeError],
    "expand of a new axis by -1": [() => f(2).expand([-1, 2]), ShapeError, "-1,2"],
    "expand to NaN": [() => f(1).expand([nan]), ShapeError, "NaN"],
    "repeat of too few": [() => f(2, 3).repeat([2]), ArgumentError, 2],
    "repeat a negative number of times": [() => f(2).repeat([-1]), ArgumentError, -1],
    "slice in steps of 0": [() => f(2).slice(0, 0, 2, 0), ArgumentError, 0],
    "slice from NaN": [() => f(2).slice(0, nan), IndexError, "NaN"],
    "slice of a single number": [() => f().slice(0), IndexError],
    "select beyond the end": [() => f(2).select(0, 2), IndexError, 2],
    "select before the start": [() => f(2).select(0, -3), IndexError, -3],
    "at with too many positions": [() => f(2).at(0, 0), IndexError, 0],
    "split in pieces of 0": [() => f(2).split(0), ArgumentError, 0],
    "split that does not add up": [() => f(4).split([1, 2]), ShapeError, 3, 4],
    "split in negative pieces": [() => f(4).split([5, -1]), ArgumentError, "5,-1"],
    "split of a single number": [() => f().split(1), IndexError],
    "chunk in 0 pieces": [() => f(4).chunk(0), ArgumentError, 0],
    "chunk of a single number": [() => f().chunk(2), IndexError],
    "cat of nothing": [() => cat([]), ArgumentError],
    "cat of other sizes": [() => cat([f(2, 3), f(2, 4)]), ShapeError, "2,3", "2,4"],
    "cat of other ranks": [() => cat([f(2, 3), f(2)]), ShapeError, "2,3"],
    "cat of single numbers": [() => cat([f(), f()]), ShapeError],
    "cat beyond the axes": [() => cat([f(2)], 1), IndexError, 1],
    "stack of other shapes": [() => stack([f(2), f(3)]), ShapeError, 2, 3],
    "stack of nothing": [() => stack([]), ArgumentError],
    "flip of an axis twice": [() => f(2, 3).flip([1, -1]), ArgumentError, "1,-1"],
    "roll by a fraction": [() => f(2).roll(0.5), ArgumentError, 0.5],
    "roll with too few axes": [() => f(2, 2).roll([1, 2], [0]), ArgumentError, "1,2", 0],
    "pad with half a pair": [() => f(2).pad([1]), ArgumentError, 1],
    "pad of more axes than there are": [() => f(2).pad([1, 1, 1, 1]), ArgumentError, "1,1,1,1"],
    "pad that cuts off too much": [() => f(2).pad([-2, -1]), ShapeError, "-2,-1"],
    "tril of a vector": [() => f(2).tril(), ShapeError, 2],
    "triu by a fraction": [() => f(2, 2).triu(0.5), ArgumentError, 0.5],
    "channels-last of a matrix": [() => f(2, 2).contiguous({ memoryFormat: "channelsLast" }), ShapeError, "2,2"],
    "to an unknown place": [() => f(2).to("float8"), DeviceError, "float8"],
    "broadcastTensors that do not": [() => broadcastTensors(f(2), f(3)), ShapeError, 2, 3],
    // products and indexing
    "matmul of other inner sizes": [() => f(2, 3).matmul(f(4, 5)), ShapeError, "2,3", "4,5", 3, 4],
    "matmul of other batches": [() => f(2, 3, 4).matmul(f(3, 4, 5)), ShapeError, 2, 3],
    "matmul of a single number": [() => f().matmul(f(1)), ShapeError],
    "matmul of other dtypes": [() => f(1, 1).matmul(i([1]).reshape([1, 1])), DTypeError, "float32", "int32"],
    "einsum of too few": [() => einsum("ij,jk", f(2, 3)), ArgumentError, 2, 1],
    "einsum of other sizes": [() => einsum("ij,jk", f(2, 3), f(4, 5)), ShapeError, "j", 3, 4],
    "einsum of another rank": [() => einsum("ijk", f(2, 3)), ShapeError, "ijk", "2,3"],
    "einsum of an unknown letter": [() => einsum("ij->k", f(2, 3)), ArgumentError, "k"],
    "einsum of a letter twice": [() => einsum("ij->ii", f(2, 3)), ArgumentError, "i"],
    "einsum of nonsense": [() => einsum("i-j", f(2, 3)), ArgumentError, "i-j"],
    "einsum of two ellipses": [() => einsum("......", f(2, 3)), ArgumentError],
    "einsum of an unequal diagonal": [() => einsum("ii", f(1, 3)), ShapeError, 1, 3],
    "gather beyond the end": [() => f(3).gather(0, i([0, 3])), IndexError, 3, "0 to 2"],
    "gather before the start": [() => f(3).gather(0, i([-1])), IndexError, -1],
    "gather by floats": [() => f(3).gather(0, f(1)), DTypeError, "float32"],
    "gather of another rank": [() => f(3, 2).gather(0, i([0])), ShapeError, "3,2"],
    "gather by a wider index": [() => f(3, 2).gather(0, i([0, 0, 0]).reshape([1, 3])), ShapeError, "1,3", "3,2"],
    "gather from nothing": [() => zeros([0], { device }).gather(0, i([0])), IndexError, 0],
    "indexSelect beyond the end": [() => f(3, 2).indexSelect(1, i([2])), IndexError, 2],
    "indexSelect by a matrix": [() => f(3, 2).indexSelect(0, i([0]).reshape([1, 1])), ShapeError, "1,1"],
    "indexSelect of a single number": [() => f().indexSelect(0, i([0])), IndexError],
    "scatterAdd beyond the end": [() => f(3).scatterAdd(0, i([7]), f(1)), IndexError, 7],
    "scatterAdd of another source": [() => f(3).scatterAdd(0, i([0]), f(2)), ShapeError, 1, 2],
    "scatterAdd of another dtype": [() => f(3).scatterAdd(0, i([0]), i([1])), DTypeError, "float32", "int32"],
    "item of many": [() => f(2).item(), ShapeError, 2],
    "item of none": [() => zeros([0], { device }).item(), ShapeError, 0],
    // autograd
    "a gradient of integers": [() => i([1]).registerHook(() => {}), GradientError],
    "backward of what needs none": [() => f(1).backward(), GradientError],
    "gradcheck of a constant difference": [
      () => {
        let calls = 0;
        const x = tensor([1], { dtype: "float64", device: "js", requiresGrad: true });
        gradcheck((a) => a.mul(calls++), [x]);
      },
      GradientError,
      "input 0",
    ],
  };

  test.each(Object.entries(refusals))("%s", (_name, [call, kind, ...words]) => {
    let caught: unknown;
    try {
      call();
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(kind);
    const { message } = caught instanceof Error ? caught : new Error("nothing was thrown");
    for (const word of words) expect(message).toContain(String(word));
  });

  test("a refused operation changes nothing", () => {
    const x = tensor([1, 2, 3], { device });
    expect(() => x.add_(ones([4], { device }))).toThrow(KindlingError);
    expect(() => x.copy_(ones([4], { device }))).toThrow(KindlingError);
    expect(() => x.scatterAdd(0, i([0, 9]), f(2))).toThrow(IndexError);
    expect(x.toArray()).toEqual([1, 2, 3]);
    expect(x.storage.version).toBe(0);
  });
});

test.skipIf(devices.length < 2)("tensors of different devices do not meet", () => {
  const [a, b] = devices.map((device) => ones([2], { device }));
  for (const call of [
    () => a.add(b),
    () => a.add_(b),
    () => a.matmul(b),
    () => cat([a, b]),
    () => a.where(b.gt(0), 1),
  ]) {
    expect(call).toThrow(DeviceError);
  }
  expect(a.copy_(b.mul(3)).toArray()).toEqual([3, 3]);
  const x = ones([2], { device: devices[0], requiresGrad: true });
  expect(() => x.mul(2).to(devices[1])).toThrow(GradientError);
  expect(x.to(devices[1]).requiresGrad).toBe(true);
});

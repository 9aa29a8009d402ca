import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { broadcastShapes } from "../../src/backend/shape.ts";
import { type Tensor, tensor } from "../../src/tensor/index.ts";
import { expectClose, expectSame } from "../close.ts";
import { devices, otherDevices } from "./devices.ts";

const runs = { numRuns: 60, seed: 20 };

/** A row-major tensor of distinct numbers. */
function counted(shape: readonly number[], device: string): Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return tensor(
    Float64Array.from({ length: count }, (_, i) => i + 1),
    { shape, device },
  );
}

/** One step that only looks at memory in another way, from three random numbers. */
function look(x: Tensor, [kind, a, b]: readonly number[]): Tensor {
  const axis = x.rank === 0 ? 0 : a % x.rank;
  switch (kind % 7) {
    case 0:
      return x.rank === 0 ? x : x.slice(axis, b % (x.shape[axis] + 1), undefined, 1 + (a % 3));
    case 1:
      return x.rank < 2 ? x : x.transpose(axis, b % x.rank);
    case 2:
      return x.unsqueeze(a % (x.rank + 1));
    case 3:
      return x.rank > 3 ? x.squeeze() : x.expand([1 + (b % 3), ...x.shape]);
    case 4:
      return x.rank === 0 || x.shape[axis] === 0 ? x : x.select(axis, b % x.shape[axis]);
    case 5:
      return x.rank < 2 ? x : x.flatten(0, 1);
    default:
      return x.numel() % 2 === 0 ? x.reshape([2, x.numel() / 2]) : x.reshape([x.numel()]);
  }
}

const shapes = fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 });
const steps = fc.array(fc.tuple(fc.nat(100), fc.nat(100), fc.nat(100)), { maxLength: 6 });

/** The same view by copying after each step: what strides must agree with. */
function lookWithCopies(x: Tensor, list: readonly (readonly number[])[]): Tensor {
  return list.reduce<Tensor>(
    (y, step) => look(tensor(y.toTypedArray(), { shape: y.shape, device: y.device }), step),
    x,
  );
}

describe.each(devices)("on %s", (device) => {
  test("chains of views show what chains of copies hold", () => {
    fc.assert(
      fc.property(shapes, steps, (shape, list) => {
        const x = counted(shape, device);
        const viewed = list.reduce(look, x);
        const copied = lookWithCopies(x, list);
        expectSame(viewed, copied);
        expectSame(viewed.contiguous(), copied);
        expectSame(viewed.clone(), copied);
        expectSame(viewed.mul(2), copied.mul(2));
        expectSame(viewed.sum(0 - Math.min(1, viewed.rank)), copied.sum(0 - Math.min(1, copied.rank)));
      }),
      runs,
    );
  });

  test("the gradient of a chain of views counts how often each element shows", () => {
    fc.assert(
      fc.property(shapes, steps, (shape, list) => {
        const x = counted(shape, device);
        x.requiresGrad = true;
        const viewed = list.reduce(look, x);
        if (!viewed.requiresGrad) return;
        viewed.square().sum().backward();
        const expected = new Float64Array(x.numel());
        for (const value of viewed.toTypedArray()) expected[value - 1] += 2 * value;
        expectClose(x.grad ?? [], expected, { atol: 0 });
      }),
      runs,
    );
  });

  test("binary operations broadcast as index arithmetic says", () => {
    fc.assert(
      fc.property(
        shapes,
        fc.array(fc.boolean(), { maxLength: 4 }),
        fc.array(fc.boolean(), { maxLength: 4 }),
        (shape, ones, others) => {
          const shrink = (by: readonly boolean[]): number[] =>
            shape.slice(by.length % (shape.length + 1)).map((n, i) => (by[i] ? 1 : n));
          const [a, b] = [counted(shrink(ones), device), counted(shrink(others), device)];
          const out = broadcastShapes("test", [a.shape, b.shape]);
          const y = a.mul(1000).add(b);
          expect(y.shape).toEqual(out);
          const at = (x: Tensor, place: readonly number[]): number => {
            const own = place.slice(place.length - x.rank);
            return x.at(...own.map((p, i) => (x.shape[i] === 1 ? 0 : p))).item();
          };
          const values = y.toTypedArray();
          values.forEach((value, i) => {
            let rest = i;
            const place = [...out].reverse().map((n) => {
              const p = rest % n;
              rest = Math.floor(rest / n);
              return p;
            });
            place.reverse();
            expect(value).toBe(at(a, place) * 1000 + at(b, place));
          });
        },
      ),
      runs,
    );
  });

  test("in-place changes of views reach exactly the elements they show", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.nat(9),
        fc.nat(9),
        (rows, columns, a, b) => {
          const x = counted([rows, columns], device);
          const before = Array.from(x.toTypedArray());
          x.slice(0, a % rows, undefined, 2)
            .transpose(0, 1)
            .slice(0, b % columns, (b % columns) + 1)
            .mul_(-1);
          const after = before.map((v, i) => {
            const [row, column] = [Math.floor(i / columns), i % columns];
            return row >= a % rows && (row - (a % rows)) % 2 === 0 && column === b % columns ? -v : v;
          });
          expectClose(x, after, { atol: 0, rtol: 0 });
        },
      ),
      runs,
    );
  });

  test("in-place operations may read the memory they change", () => {
    const x = counted([3, 3], device);
    const expected = x.add(x.transpose(0, 1));
    x.add_(x.transpose(0, 1));
    expectSame(x, expected);
    const y = counted([4], device);
    y.slice(0, 1).add_(y.slice(0, 0, 3));
    expect(y.toArray()).toEqual([1, 3, 5, 7]);
    const z = counted([4], device);
    z.slice(0, 1).copy_(z.slice(0, 0, 3));
    expect(z.toArray()).toEqual([1, 1, 2, 3]);
  });

  test.each(["float16", "bfloat16"] as const)("%s stores, and is computed with in float32", (dtype) => {
    const a = tensor([1.2345, -3.75, 0, 100.5, 1e-3, 7], { device }).to(dtype);
    const b = tensor([2, 0.5, -1.25, 3, 1e3, -0.1], { device }).to(dtype);
    const wide = a.to("float32");
    for (const fn of [
      (x: Tensor, y: Tensor) => x.add(y),
      (x: Tensor, y: Tensor) => x.mul(y).exp(),
      (x: Tensor) => x.tanh(),
      (x: Tensor) => x.sum(),
      (x: Tensor) => x.reshape([2, 3]).mean(0),
      (x: Tensor) => x.cumsum(0),
      (x: Tensor) => x.sort(0).values,
      (x: Tensor) => x.slice(0, 0, 6, 2),
      (x: Tensor) => x.softmax(0),
      (x: Tensor, y: Tensor) => x.reshape([2, 3]).matmul(y.reshape([3, 2])),
      (x: Tensor) => x.gather(0, tensor([5, 0], { dtype: "int32", device })),
      (x: Tensor) => x.pad([1, 1], 2.5),
    ]) {
      const [narrow, full] = [fn(a, b), fn(wide, b.to("float32")).to(dtype)];
      expect(narrow.dtype).toBe(dtype);
      expectClose(narrow, full, { rtol: dtype === "float16" ? 2e-3 : 1.6e-2, atol: 1e-6 });
    }
    expect(a.add(b.to("float32")).dtype).toBe("float32");
    expect(tensor([1], { dtype: "float16", device }).add(tensor([1], { dtype: "bfloat16", device })).dtype).toBe(
      "float32",
    );
    expect(tensor([70000, -1e9], { device }).to("float16").toArray()).toEqual([
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
  });

  test("integers are exact to their ends, and wrap as in C", () => {
    const big = tensor([2147483647, -2147483648, 16777217, 123456789], { dtype: "int32", device });
    expect(big.toArray()).toEqual([2147483647, -2147483648, 16777217, 123456789]);
    expect(big.add(0).toArray()).toEqual(big.toArray());
    expect(big.slice(0, 2, 4).add(1).toArray()).toEqual([16777218, 123456790]);
    expect(big.slice(0, 2, 4).mul(3).toArray()).toEqual([50331651, 370370367]);
    expect(
      big.eq(tensor([2147483646, -2147483648, 16777216, 123456788], { dtype: "int32", device })).toArray(),
    ).toEqual([false, true, false, false]);
    expect(big.slice(0, 0, 2).sum().item()).toBe(-1);
    expect(big.max().item()).toBe(2147483647);
    expect(big.argmax().item()).toBe(0);
    expect(big.sort().values.toArray()).toEqual([-2147483648, 16777217, 123456789, 2147483647]);
    expect(
      tensor([250, 10], { dtype: "uint8", device })
        .add(tensor([10, 250], { dtype: "uint8", device }))
        .toArray(),
    ).toEqual([4, 4]);
    expect(tensor([3], { dtype: "uint8", device }).sub(5).toArray()).toEqual([254]);
    expect(big.slice(0, 0, 1).add(1).toArray()).toEqual([-2147483648]);
    expect(tensor([2.9, -2.9], { device }).to("int32").toArray()).toEqual([2, -2]);
  });
});

type Build = (leaves: readonly Tensor[], choose: () => number) => Tensor;

/** A random graph of operations that share values, with the intermediates a user might hold. */
const randomGraph: Build = (leaves, choose) => {
  const pool = [...leaves];
  const pick = (): Tensor => pool[choose() % pool.length];
  for (let i = 0; i < 12; i++) {
    const [a, b] = [pick(), pick()];
    const kinds = [
      () => a.add(b),
      () => a.mul(b).tanh(),
      () => a.sub(b).sigmoid(),
      () => a.matmul(b.transpose(0, 1)).mul(0.1),
      () => a.transpose(0, 1).contiguous(),
      () => a.sum(0, { keepDims: true }).expand([4, 4]).mul(0.1),
      () => a.slice(0, 0, 2).cat([b.slice(0, 2)], 0),
      () => a.softmax(1).add(b),
      () => a.reshape([2, 8]).flip(0).reshape([4, 4]),
      () => a.relu().add(a),
    ];
    pool.push(kinds[choose() % kinds.length]());
  }
  return pool
    .slice(-3)
    .reduce((a, b) => a.add(b.square()))
    .mean();
};

describe.each(devices)("memory on %s", (device) => {
  test("that backward gives back is never in use: random graphs agree with runs that keep everything", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 60, maxLength: 60 }), (choices) => {
        const run = (options: { retainGraph?: boolean; createGraph?: boolean }, hold: boolean): Float64Array[] => {
          let next = 0;
          const leaves = [1, 2, 3].map((k) => {
            const values = Float64Array.from({ length: 16 }, (_, i) => Math.sin(i * k + k));
            return tensor(values, { shape: [4, 4], device, requiresGrad: true });
          });
          const held: Tensor[] = [];
          const copies: Float64Array[] = [];
          if (hold) {
            for (const x of leaves) {
              x.registerHook((g) => {
                held.push(g);
                copies.push(Float64Array.from(g.toTypedArray()));
              });
            }
          }
          const loss = randomGraph(leaves, () => choices[next++ % choices.length]);
          loss.backward(options);
          leaves[0].detach().add(leaves[1].detach()).exp(); // whoever uses freed memory again
          const grads = leaves.map((x) => Float64Array.from(x.grad?.toTypedArray() ?? []));
          for (const [i, g] of held.entries()) expectClose(g, copies[i], { rtol: 0, atol: 0 });
          return grads;
        };
        const normal = run({}, false);
        for (const [options, hold] of [
          [{ retainGraph: true }, false],
          [{}, true],
          [{ createGraph: true }, false],
        ] as const) {
          for (const [i, g] of run(options, hold).entries()) expectClose(normal[i], g, { rtol: 1e-5, atol: 1e-6 });
        }
      }),
      { numRuns: 80, seed: 20 },
    );
  });
});

describe.each(otherDevices)("%s agrees with js", (device) => {
  test("on random graphs", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1000), { minLength: 60, maxLength: 60 }), (choices) => {
        const [here, there] = [device, "js"].map((name) => {
          let next = 0;
          const leaves = [1, 2, 3].map((k) => {
            const values = Float64Array.from({ length: 16 }, (_, i) => Math.cos(i * k + k));
            return tensor(values, { shape: [4, 4], device: name, requiresGrad: true });
          });
          const loss = randomGraph(leaves, () => choices[next++ % choices.length]);
          loss.backward();
          return [loss, ...leaves.flatMap((x) => x.grad ?? [])];
        });
        for (const [i, x] of here.entries()) expectClose(x, there[i], { rtol: 1e-4, atol: 1e-5 });
      }),
      runs,
    );
  });
});

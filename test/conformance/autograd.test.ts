import { describe, expect, test } from "vitest";
import { GradientError, ShapeError } from "../../src/backend/errors.ts";
import { cat, noGrad, ones, type Tensor, tensor, zeros } from "../../src/tensor/index.ts";
import { devices } from "./devices.ts";

describe.each(devices)("autograd on %s", (device) => {
  const leaf = (data: number[] | number[][]): Tensor => tensor(data, { device, requiresGrad: true });

  describe("accumulation", () => {
    test("a leaf used three times gets the sum", () => {
      const x = leaf([1, 2]);
      x.mul(x).add(x).sum().backward();
      expect(x.grad?.toArray()).toEqual([3, 5]);
    });
    test("a diamond meets in one node, which runs once", () => {
      const x = leaf([2]);
      const y = x.mul(3);
      let calls = 0;
      y.registerHook(() => {
        calls++;
      });
      y.square().add(y.mul(5)).sum().backward();
      expect(x.grad?.toArray()).toEqual([3 * (2 * 6 + 5)]);
      expect(calls).toBe(1);
    });
    test("a hook may go back through nodes where the pass it interrupts has left gradients", () => {
      const x = leaf([1, 2]);
      const h = x.mul(2);
      const early = h.mul(3);
      const late = h.mul(5); // newer, so its gradient reaches h first
      const aside = h.sum();
      early.registerHook(() => {
        aside.backward({ retainGraph: true });
        return undefined;
      });
      early.add(late).sum().backward({ retainGraph: true });
      expect(x.grad?.toArray()).toEqual([2 * (3 + 5) + 2, 2 * (3 + 5) + 2]);
    });
    test("a second pass adds to .grad", () => {
      const x = leaf([1, 2]);
      x.square().sum().backward();
      const { grad } = x;
      x.square().sum().backward();
      expect(x.grad?.toArray()).toEqual([4, 8]);
      expect(x.grad).toBe(grad);
      x.grad = undefined;
      x.sum().backward();
      expect(gradientOf(x)).toEqual([1, 1]);
    });
    test("two leaves of one sum do not share the memory of their gradients", () => {
      const [a, b] = [leaf([1, 2]), leaf([3, 4])];
      a.add(b).sum().backward();
      a.grad?.mul_(10);
      expect(b.grad?.toArray()).toEqual([1, 1]);
    });
    test("nor with createGraph, nor with the gradient that was given", () => {
      const [a, b] = [leaf([1, 2]), leaf([3, 4])];
      const gradient = ones([2], { device });
      a.add(b).backward({ gradient, createGraph: true });
      noGrad(() => a.grad?.mul_(10));
      expect(b.grad?.toArray()).toEqual([1, 1]);
      expect(gradient.toArray()).toEqual([1, 1]);
    });
    test("backward from a leaf itself", () => {
      const x = leaf([1, 2]);
      const gradient = tensor([3, 4], { device });
      x.backward({ gradient });
      x.backward({ gradient });
      expect(x.grad?.toArray()).toEqual([6, 8]);
      expect(gradient.toArray()).toEqual([3, 4]);
    });
    test("an expanded leaf gets a gradient of its own shape, with its own memory", () => {
      const x = tensor([[1], [2]], { device })
        .expand([2, 3])
        .detach();
      x.requiresGrad = true;
      x.mul(tensor([1, 2, 3], { device }))
        .sum()
        .backward();
      expect(x.grad?.toArray()).toEqual([
        [1, 2, 3],
        [1, 2, 3],
      ]);
    });
    test("a broadcast leaf gets sums", () => {
      const [x, b] = [
        leaf([
          [1, 2, 3],
          [4, 5, 6],
        ]),
        leaf([[1], [2]]),
      ];
      x.mul(b).sum().backward();
      expect(b.grad?.toArray()).toEqual([[6], [15]]);
      expect(x.grad?.toArray()).toEqual([
        [1, 1, 1],
        [2, 2, 2],
      ]);
    });
    test("gradients have the dtype of their leaf", () => {
      const x = tensor([1, 2], { device, dtype: "bfloat16", requiresGrad: true });
      x.mul(tensor([0.5, 3], { device }))
        .sum()
        .backward();
      expect(x.grad?.dtype).toBe("bfloat16");
      expect(x.grad?.toArray()).toEqual([0.5, 3]);
    });
    test("unused outputs of a split get nothing, the others theirs", () => {
      const x = leaf([1, 2, 3, 4]);
      const [, b] = x.split(2);
      b.square().sum().backward();
      expect(x.grad?.toArray()).toEqual([0, 0, 6, 8]);
    });
    test("a long chain does not exhaust the stack", () => {
      const x = leaf([1]);
      let y: Tensor = x;
      for (let i = 0; i < 20_000; i++) y = y.add(1);
      y.sum().backward();
      expect(x.grad?.toArray()).toEqual([1]);
    });
  });

  describe("the graph", () => {
    test("is used up by backward, unless retained", () => {
      const x = leaf([1, 2]);
      const y = x.exp().sum();
      y.backward({ retainGraph: true });
      y.backward();
      expect(() => y.backward()).toThrow(/exp: its saved values are gone.*retainGraph/);
      expect(() => y.backward()).toThrow(GradientError);
    });
    test("refuses saved inputs and outputs that were changed", () => {
      const x = leaf([1, 2]);
      const w = tensor([3, 4], { device });
      const y = x.mul(w).sum();
      w.add_(1);
      expect(() => y.backward()).toThrow(
        /mul: a value saved for backward, \[2\], was changed in place.*version 1.*saved at 0/,
      );
      const e = x.exp();
      noGrad(() => e.mul_(2));
      expect(() => e.sum().backward()).toThrow(GradientError);
      const p = x.square().sum();
      noGrad(() => x.sub_(1));
      expect(() => p.backward()).toThrow(GradientError);
    });
    test("notices changes through views, and of what views show", () => {
      const w = tensor(
        [
          [1, 2],
          [3, 4],
        ],
        { device },
      );
      const x = leaf([1, 2]);
      const y = x.mul(w.select(0, 0)).sum();
      w.select(0, 1).fill_(0); // another row, but the same memory
      expect(() => y.backward()).toThrow(GradientError);
    });
    test("does not mind changes of what was not saved", () => {
      const x = leaf([1, 2]);
      const w = tensor([3, 4], { device });
      const y = x.add(w).sum();
      w.mul_(100);
      y.backward();
      expect(x.grad?.toArray()).toEqual([1, 1]);
    });
    test("refuses in-place changes while recording", () => {
      const x = leaf([1, 2]);
      const plain = zeros([2], { device });
      expect(() => x.add_(1)).toThrow(GradientError);
      expect(() => x.select(0, 0).fill_(1)).toThrow(GradientError);
      expect(() => plain.add_(x)).toThrow(/add_: the argument \[2\] requires a gradient/);
      expect(() => plain.copy_(x)).toThrow(GradientError);
      noGrad(() => plain.add_(x));
      expect(plain.toArray()).toEqual([1, 2]);
    });
    test("refuses in-place changes of stretched memory", () => {
      expect(() => ones([1, 2], { device }).expand([3, 2]).add_(1)).toThrow(/stretched by expand/);
    });
    test("wants one number, or a gradient that fits", () => {
      const y = leaf([1, 2]).mul(2);
      expect(() => y.backward()).toThrow(/not from \[2\] \(2 numbers\)/);
      expect(() => y.backward({ gradient: ones([3], { device }) })).toThrow(ShapeError);
      expect(() => y.backward({ gradient: ones([2], { device, dtype: "int32" }) })).toThrow(/int32.*float32/);
      expect(() => ones([1], { device }).backward()).toThrow(/does not require a gradient/);
    });
    test("an error in a hook leaves recording as it was", () => {
      const x = leaf([1]);
      x.registerHook(() => {
        throw new Error("mine");
      });
      expect(() => x.mul(2).sum().backward()).toThrow("mine");
      expect(x.mul(2).requiresGrad).toBe(true);
    });
  });

  describe("modes", () => {
    test("noGrad records nothing, detach leaves the tape, both share values", () => {
      const x = leaf([1, 2]);
      expect(noGrad(() => x.mul(2)).requiresGrad).toBe(false);
      const d = x.detach();
      expect(d.requiresGrad).toBe(false);
      x.mul(d).sum().backward();
      expect(x.grad?.toArray()).toEqual([1, 2]);
      d.fill_(7);
      expect(x.toArray()).toEqual([7, 7]);
    });
    test("noGrad refuses promises and comes back after errors", async () => {
      expect(() => noGrad(async () => 1)).toThrow(GradientError);
      expect(() =>
        noGrad(() => {
          throw new Error("mine");
        }),
      ).toThrow("mine");
      expect(leaf([1]).mul(2).requiresGrad).toBe(true);
    });
    test("comparisons, rounding to integers and positions carry no gradient", () => {
      const x = leaf([1, 2]);
      for (const y of [x.gt(1), x.argmax(0), x.to("int32"), x.sort().indices, x.isNan()])
        expect(y.requiresGrad).toBe(false);
    });
  });

  describe("hooks", () => {
    test("run in order, replace, and can be taken off", () => {
      const x = leaf([1, 2]);
      const log: string[] = [];
      const first = x.registerHook((g) => {
        log.push(`first ${g.toArray()}`);
        return g.mul(2);
      });
      x.registerHook((g) => {
        log.push(`second ${g.toArray()}`);
      });
      x.mul(3).sum().backward();
      expect(log).toEqual(["first 3,3", "second 6,6"]);
      expect(x.grad?.toArray()).toEqual([6, 6]);
      first.remove();
      first.remove();
      x.grad = undefined;
      x.mul(3).sum().backward();
      expect(gradientOf(x)).toEqual([3, 3]);
    });
    test("of a leaf see the whole gradient once, however often it is used", () => {
      const x = leaf([1, 2]);
      const seen: unknown[] = [];
      x.registerHook((g) => {
        seen.push(g.toArray());
      });
      const complete: unknown[] = [];
      x.registerPostAccumulateGradHook((leaf) => complete.push(leaf.grad?.toArray()));
      x.mul(2).add(x.mul(3)).add(x).sum().backward();
      expect(seen).toEqual([[6, 6]]);
      expect(complete).toEqual([[6, 6]]);
    });
    test("on completion run also where some uses lead nowhere", () => {
      const x = leaf([1, 2]);
      let complete = 0;
      x.registerPostAccumulateGradHook(() => complete++);
      const [a] = [x.mul(2), x.mul(3)];
      const parts = cat([a, x.detach()]).split(2);
      parts[0].sum().backward();
      expect(complete).toBe(1);
      expect(x.grad?.toArray()).toEqual([2, 2]);
    });
    test("that take themselves off do not make others be left out", () => {
      const x = leaf([1]);
      let second = 0;
      const handle = x.registerHook(() => {
        handle.remove();
      });
      x.registerHook(() => {
        second++;
      });
      x.mul(2).sum().backward();
      expect(second).toBe(1);
    });
    test("on results see and change what flows on", () => {
      const x = leaf([1, 2]);
      const y = x.mul(2);
      y.registerHook((g) => g.mul(10));
      y.sum().backward();
      expect(x.grad?.toArray()).toEqual([20, 20]);
    });
    test("keep what they saw: its memory is not used again", () => {
      const x = leaf([1, 2, 3]);
      const kept: Tensor[] = [];
      const keep = (g: Tensor): undefined => {
        kept.push(g);
      };
      const y = x.mul(2);
      x.registerHook(keep);
      y.registerHook(keep);
      y.square().sum().backward();
      x.mul(5).sum().backward();
      for (let i = 0; i < 20; i++) x.detach().mul(100 + i);
      expect(kept.map((g) => g.toArray())).toEqual([
        [4, 8, 12],
        [8, 16, 24],
        [5, 5, 5],
      ]);
      expect(x.grad?.toArray()).toEqual([13, 21, 29]);
    });
    test("must keep the shape", () => {
      const x = leaf([1, 2]);
      x.registerHook((g) => g.sum());
      expect(() => x.mul(2).sum().backward()).toThrow(/hook.*\[\].*\[2\]/);
    });
    test("need a tensor with a gradient", () => {
      expect(() => ones([1], { device }).registerHook((g) => g)).toThrow(GradientError);
      expect(() =>
        leaf([1])
          .mul(2)
          .registerPostAccumulateGradHook(() => {}),
      ).toThrow(GradientError);
    });
  });

  test("gradients of gradients: d²/dx² x³ = 6x", () => {
    const x = leaf([1, 2]);
    x.pow(3).sum().backward({ createGraph: true });
    const { grad } = x;
    x.grad = undefined;
    grad?.sum().backward();
    expect(gradientOf(x)).toEqual([6, 12]);
  });

  test("requiresGrad is for floating-point leaves", () => {
    expect(() => tensor([1], { device, dtype: "int32", requiresGrad: true })).toThrow(/int32/);
    const y = leaf([1]).mul(2);
    expect(() => {
      y.requiresGrad = false;
    }).toThrow(/detach/);
  });
});

function gradientOf(x: Tensor): unknown {
  return x.grad?.toArray();
}

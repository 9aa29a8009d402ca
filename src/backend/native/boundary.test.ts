import { describe, expect, it } from "vitest";
import { js, memoryOf, missing, native } from "../../../test/native/oracle.ts";
import type { View } from "../backend.ts";
import { call, input, Kernel } from "../expr.ts";

const kernel = new Kernel([call("neg", input(0))], 1);

function view(changes: Partial<View> = {}): View {
  const storage = native.allocate(64 * 4);
  storage.elements("float32").fill(1);
  return { storage, shape: [8, 8], strides: [8, 1], offset: 0, dtype: "float32", ...changes };
}

const outside: readonly (readonly [string, Partial<View>])[] = [
  ["an offset too large", { offset: 1 }],
  ["a negative offset", { offset: -1 }],
  ["a fractional offset", { offset: 0.5 }],
  ["a size too large", { shape: [9, 8] }],
  ["a stride too large", { strides: [9, 1] }],
  ["a negative stride", { strides: [-8, 1] }],
  ["a wider dtype", { dtype: "float64" }],
  ["sizes whose product overflows", { shape: [2 ** 40, 2 ** 40], strides: [0, 0] }],
  ["a reach that overflows", { shape: [2 ** 49, 2], strides: [2 ** 49, 1] }],
  ["a size that is no number", { shape: [Number.NaN, 8] }],
  ["an infinite stride", { strides: [Infinity, 1] }],
  ["the memory of another backend", { storage: js.allocate(64 * 4) }],
];

describe.skipIf(missing !== undefined)("the addon's boundary", () => {
  it.each(outside)("refuses %s, in inputs and outputs of every kernel", (_, changes) => {
    const bad = view(changes);
    const good = view();
    const index = view({ dtype: "int32" });
    index.storage.elements("int32").fill(0);
    const calls: readonly (() => void)[] = [
      () => native.map(kernel, [bad], [good], []),
      () => native.map(kernel, [good], [bad], []),
      () => native.mapEach(kernel, [[good], [bad]], [[good], [good]], []),
      () => native.reduce("sum", kernel, [bad], [8, 8], view({ shape: [1, 8] }), []),
      () => native.argReduce("max", bad, 1, view({ shape: [8, 1], dtype: "int32" })),
      () => native.gather("gather", bad, index, 0, { ...good, dtype: bad.dtype }),
      () => native.gather("gather", { ...good, dtype: bad.dtype }, index, 0, bad),
      () => native.scatterAdd("scatterAdd", bad, index, 0, { ...good, dtype: bad.dtype }),
      () => native.fast.softmax?.(bad, false, good),
    ];
    for (const run of calls) expect(run).toThrow(/kindling addon/);
  });

  it("refuses memory that was taken away", () => {
    const bad = view();
    structuredClone(bad.storage.block.buffer, { transfer: [bad.storage.block.buffer] });
    expect(() => native.map(kernel, [bad], [view()], [])).toThrow(/kindling addon/);
    expect(() => native.map(kernel, [view()], [bad], [])).toThrow(/kindling addon/);
  });

  it("refuses shapes that do not fit each other", () => {
    expect(() => native.map(kernel, [view({ shape: [4, 8] })], [view()], [])).toThrow(/does not broadcast/);
    expect(() => native.reduce("sum", kernel, [view()], [8, 8], view({ shape: [1, 4] }), [])).toThrow(/kept axis/);
    const short = view({ shape: [4, 8] });
    expect(() => native.fast.matmul?.(view(), short, undefined, false, view())).toThrow(/do not fit/);
  });

  it("works on after an error, and with exactly full storages", () => {
    const out = view();
    native.map(kernel, [view()], [out], []);
    expect(memoryOf(out).slice(0, 64)).toEqual(new Array(64).fill(-1));
  });
});

import { expect, test } from "vitest";
import { printed, shows } from "./compare.ts";

class Printed {
  toString(): string {
    return "tensor([[1, 2],\n        [3, 4]])";
  }
  toArray(): number[][] {
    return [
      [1, 2],
      [3, 4],
    ];
  }
}

test.each<[unknown, string]>([
  [0.96894, "0.969"],
  [3.0000002, "3"],
  [-1.25e-7, "-1.2e-7"],
  [50_000, "50,000"],
  [Number.NaN, "NaN"],
  [Number.NEGATIVE_INFINITY, "-Infinity"],
  [12n, "12n"],
  [undefined, "undefined"],
  ["a", '"a"'],
  ["it's", "'it\\'s'"],
  ["a long text", '"a long…"'],
  ["plain text", "plain text"],
  ["plain text", "plain…"],
  [[1, [2.5]], "[1, [2.5]]"],
  [[1, 2, 3], "[1, 2, …]"],
  [new Float32Array([0.1, 0.2]), "[0.1, 0.2]"],
  [new Float32Array([0.1]), "Float32Array [0.1]"],
  [new Int32Array([7]), "Int32Array(1) [7]"],
  [{ epoch: 4, train: { loss: 0.123 } }, "{ epoch: 4, train: { loss: 0.12 } }"],
  [{ epoch: 4, more: 1 }, "{ epoch: 4, … }"],
  [new Map([["a.b", 1]]), '{ "a.b": 1 }'],
  [new Printed(), "[[1, 2], [3, 4]]"],
  [new Printed(), "tensor([[1, 2], [3, 4]])"],
])("%o shows as %s", (value, text) => expect(shows(value, text)).toBe(true));

test.each<[unknown, string]>([
  [0.9696, "0.969"],
  [3.001, "3"],
  [0.1, "0"],
  ["3", "3 apples"],
  ["ab", '"a"'],
  [[1, 2], "[1]"],
  [[1], "[1, 2]"],
  [[1], "[1, 2, …]"],
  [{ a: 1, b: 2 }, "{ a: 1 }"],
  [{ a: 1 }, "{ a: 1, b: undefined }"],
  [null, "undefined"],
  [{ a: 1 }, "[1]"],
  [new Printed(), "[[1, 2], [3, 5]]"],
  [new Printed(), "tensor([[1, 2]])"],
])("%o does not show as %s", (value, text) => expect(shows(value, text)).toBe(false));

test("messages print values as comments would", () => {
  expect(printed({ a: [1, Number.NaN], b: new Float32Array([1]) })).toBe('{ "a": [ 1, "NaN" ], "b": [ 1 ] }');
});

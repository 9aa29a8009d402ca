import { expect, test } from "vitest";
import { throws } from "./check.ts";
import { freeNames, instrument } from "./instrument.ts";

test("result comments become checks, on their lines", () => {
  const code = [
    "const x = f(); // => 1",
    "x; // => 2",
    "await g(",
    "  x,",
    "); // => [1, 2]",
    "console.log(x); // => 3",
    "for (const y of [1]) {",
    "  y; // => 1",
    "}",
    "h();",
    "// => a text",
    "//    of two lines",
  ].join("\n");
  expect(instrument(code, 10).split("\n")).toEqual([
    'const x = __check((f()), "1", 10); // => 1',
    '__check((x), "2", 11); // => 2',
    "__check((await g(",
    "  x,",
    ')), "[1, 2]", 14); // => [1, 2]',
    'console.log(__check((x), "3", 15)); // => 3',
    "for (const y of [1]) {",
    '  __check((y), "1", 17); // => 1',
    "}",
    '__check((h()), "a text\\n    of two lines", 19);',
    "// => a text",
    "//    of two lines",
  ]);
});

test("a throws comment awaits the error", () => {
  expect(instrument("f(1); // throws ShapeError", 1)).toBe(
    'await __throws(async () => { f(1); }, "ShapeError", 1); // throws ShapeError',
  );
});

test("a result comment that follows nothing is an error, not ignored", () => {
  expect(() => instrument("if (a) {\n} else {\n}\n\n// => 3\n", 1)).toThrow(SyntaxError);
  expect(() => instrument("const a = 1, b = 2; // => 3\n", 1)).toThrow("1 result comments, but 0");
});

test("free names are what a snippet uses and does not declare", () => {
  const code =
    "const a = zeros([2]); const { c } = a.sum; type T = Shape; f({ a, d, e: g }); import { h } from 'h'; h();";
  expect(freeNames(code).sort()).toEqual(["Shape", "d", "f", "g", "zeros"]);
});

test("throws wants the named error with the message shown", async () => {
  const fail = async (): Promise<void> => {
    throw new RangeError("too far: 7");
  };
  await throws(fail, "RangeError", 1);
  await throws(fail, "RangeError: too far: 7", 1);
  await throws(fail, "RangeError: too…", 1);
  await expect(throws(fail, "TypeError", 1)).rejects.toThrow("line 1 throws RangeError: too far: 7");
  await expect(throws(async () => {}, "RangeError", 4)).rejects.toThrow("line 4 throws nothing");
});

import { expect, test } from "vitest";
import { extractExamples, extractFences } from "./extract.ts";

test("fences: only ts ones, with line, indent and the no-run flag", () => {
  const text = [
    "# Title",
    "```ts",
    "const a = 1;",
    "a; // => 1",
    "```",
    "```sh",
    "npm start",
    "```",
    "- item",
    "  ```ts no-run",
    "  fetchAll();",
    "  ```",
  ].join("\n");
  expect(extractFences("a.md", text)).toEqual([
    { file: "a.md", line: 3, code: "const a = 1;\na; // => 1", indent: 0, noRun: false, autoImport: false },
    { file: "a.md", line: 11, code: "fetchAll();", indent: 2, noRun: true, autoImport: false },
  ]);
});

test("a fence inside a longer fence is text, and an open one is an error", () => {
  expect(extractFences("a.md", "````md\n```ts\nx\n```\n````\n")).toEqual([]);
  expect(() => extractFences("a.md", "text\n```ts\nx\n")).toThrow("a.md:2: this fence is never closed");
});

test("examples end at the next tag, each on its own line of the file", () => {
  const text = [
    "/** No example. */",
    "/**",
    " * Adds.",
    " * @example",
    " * add(1, 2); // => 3",
    " * @example",
    " * ```ts",
    " * add(2, 2); // => 4",
    " * ```",
    " * @see somewhere",
    " */",
    "class A {",
    "  /**",
    "   * @example",
    "   * if (a) {",
    "   *   b();",
    "   * }",
    "   */",
    "}",
  ].join("\n");
  const found = extractExamples("src/a.ts", text);
  expect(found.map(({ line, code, indent }) => ({ line, code, indent }))).toEqual([
    { line: 5, code: "add(1, 2); // => 3", indent: 3 },
    { line: 8, code: "add(2, 2); // => 4", indent: 3 },
    { line: 15, code: "if (a) {\n  b();\n}", indent: 5 },
  ]);
  expect(found.every(({ autoImport, noRun }) => autoImport && !noRun)).toBe(true);
});

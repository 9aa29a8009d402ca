import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

// Imports go one way only: down this list.
const layers = ["text", "vision", "learner", "viz", "io", "data", "optim", "nn", "tensor", "backend", "platform"];
const folder = mkdtempSync(join(tmpdir(), "kindling-lint-"));

beforeAll(() => cpSync("biome.json", join(folder, "biome.json")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Diagnostic {
  readonly category: string;
  readonly location: { readonly path: string };
}

/** Writes the files and gives back, for each, the lint rules it breaks. */
function lint(files: Record<string, string>): Record<string, string[]> {
  rmSync(join(folder, "src"), { recursive: true, force: true });
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  const biome = join(process.cwd(), "node_modules/@biomejs/biome/bin/biome");
  const args = [biome, "lint", "--reporter=json", "--max-diagnostics=none", "--vcs-enabled=false", "src"];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
  if (!stdout.startsWith("{")) throw new Error(stderr);
  const report: { diagnostics: Diagnostic[] } = JSON.parse(stdout);
  const broken: Record<string, string[]> = Object.fromEntries(Object.keys(files).map((path) => [path, []]));
  for (const { category, location } of report.diagnostics) {
    if (category.startsWith("lint/")) broken[location.path]?.push(category.replace(/^lint\/\w+\//, ""));
  }
  return broken;
}

/** A file that brings in a name and uses it. */
const importing = (from: string): string => `import { x } from "${from}";\nexport const y: unknown = x;\n`;

test("a layer imports from those below it and from none above", () => {
  const files: Record<string, string> = {};
  const expected: Record<string, string[]> = {};
  for (const [i, from] of layers.entries()) {
    for (const [j, to] of layers.entries()) {
      if (i === j) continue;
      const rules = j < i ? ["noRestrictedImports"] : [];
      files[`src/${from}/${to}File.ts`] = importing(`../${to}/thing.ts`);
      files[`src/${from}/deeper/${to}File.ts`] = importing(`../../${to}/deeper/thing.ts`);
      expected[`src/${from}/${to}File.ts`] = rules;
      expected[`src/${from}/deeper/${to}File.ts`] = rules;
    }
  }
  expect(lint(files)).toEqual(expected);
});

test("types count as imports", () => {
  const text = 'import type { Module } from "../nn/module.ts";\nexport type M = Module;\n';
  expect(lint({ "src/tensor/a.ts": text })).toEqual({ "src/tensor/a.ts": ["noRestrictedImports"] });
});

test("Node is reached through the platform only", () => {
  const node = importing("node:fs");
  const found = lint({
    "src/io/a.ts": node,
    "src/platform/browser.ts": node,
    "src/platform/node.ts": node,
    "src/io/a.test.ts": node,
    "src/io/b.ts": "export const home: unknown = process.env;\n",
  });
  expect(found).toEqual({
    "src/io/a.ts": ["noNodejsModules"],
    "src/platform/browser.ts": ["noNodejsModules"],
    "src/platform/node.ts": [],
    "src/io/a.test.ts": [],
    "src/io/b.ts": ["noRestrictedGlobals"],
  });
});

test.each([
  ["noDefaultExport", "export default 1;\n"],
  ["noEnum", "export enum E { A }\n"],
  ["noExplicitAny", "export function f(x: any): void { x(); }\n"],
  ["noReExportAll", 'export * from "./b.ts";\n'],
  ["noExcessiveLinesPerFile", "export const a = 1;\n".replace(/^/, "// line\n".repeat(400))],
  ["noFloatingPromises", "async function f(): Promise<void> {}\nexport function g(): void {\n  f();\n}\n"],
  ["noRestrictedImports", importing("kindling")],
])("%s is refused", (rule, text) => {
  expect(lint({ "src/data/a.ts": text })).toEqual({ "src/data/a.ts": [rule] });
});

test("import cycles are refused", () => {
  const found = lint({ "src/nn/a.ts": importing("./b.ts"), "src/nn/b.ts": importing("./a.ts").replace("y", "x") });
  expect(found["src/nn/a.ts"]).toEqual(["noImportCycles"]);
});

test("files are named in camelCase", () => {
  const text = "export const a = 1;\n";
  const rule = ["useFilenamingConvention"];
  expect(lint({ "src/nn/batchNorm.ts": text, "src/nn/batch-norm.ts": text, "src/nn/BatchNorm.ts": text })).toEqual({
    "src/nn/batchNorm.ts": [],
    "src/nn/batch-norm.ts": rule,
    "src/nn/BatchNorm.ts": rule,
  });
});

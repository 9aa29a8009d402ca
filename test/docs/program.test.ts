import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { extractExamples, extractFences } from "./extract.ts";
import { Project } from "./program.ts";

const root = mkdtempSync(join(tmpdir(), "kindling-program-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const files: Record<string, string> = {
  "tsconfig.json": JSON.stringify({
    compilerOptions: {
      strict: true,
      module: "NodeNext",
      lib: ["ES2023"],
      customConditions: ["source"],
      skipLibCheck: true,
    },
  }),
  "package.json": JSON.stringify({ name: "kindling", type: "module", exports: { ".": { source: "./src/index.ts" } } }),
  "src/index.ts": 'export { zeros } from "./zeros.ts";\nexport * as nn from "./nn/index.ts";\n',
  "src/zeros.ts": "export function zeros(n: number): number[] {\n  return Array(n).fill(0);\n}\n",
  "src/nn/index.ts": 'export { Linear } from "./linear.ts";\n',
  "src/nn/linear.ts": [
    "/**",
    " * @example",
    " * own(new Linear(zeros(2)).x); // its own file's names, the namespace's and the package's",
    " * new Linear('2');",
    " */",
    "export class Linear {",
    "  constructor(readonly x: number[]) {}",
    "}",
    "export function own(x: number[]): number[] { return x; }",
  ].join("\n"),
};

test("examples get the names they leave out; type errors stand at the line of the file", () => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const page = '# Page\n\n```ts\nimport { zeros } from "kindling";\nzeros("2");\nones(2);\n```\n';
  const fence = extractFences("README.md", page);
  const example = extractExamples("src/nn/linear.ts", files["src/nn/linear.ts"]);
  const project = new Project(root, ["src/nn/linear.ts"]);
  const modules = [...fence, ...example].map((snippet) => project.module(snippet));
  const found = [...project.check(modules).values()].flat().filter((line) => !line.includes("type definition file"));
  expect(found).toEqual([
    expect.stringMatching(/^README.md:5:7: Argument of type 'string' is not assignable/),
    expect.stringMatching(/^README.md:6:1: Cannot find name 'ones'/),
    expect.stringMatching(/^src\/nn\/linear.ts:4:15: Argument of type 'string' is not assignable/),
  ]);
});

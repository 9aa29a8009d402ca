/** Kindling's side is compiled to plain JavaScript, so that its processes hold nothing but Node and the library. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const bench = fileURLToPath(new URL("./", import.meta.url));
// Inside the package, where the name "kindling" means the compiled library; ignored by git and not published.
const target = fileURLToPath(new URL("../runs/bench/", import.meta.url));

/** Compiles `kindling.ts` and its folder; the answer is the script to start. */
export function compileChild(): string {
  const files = ["kindling.ts", ...readdirSync(`${bench}kindling`).map((name) => `kindling/${name}`)];
  for (const file of files.filter((name) => name.endsWith(".ts"))) {
    const { outputText } = ts.transpileModule(readFileSync(bench + file, "utf8"), {
      fileName: file,
      compilerOptions: {
        target: ts.ScriptTarget.ES2022,
        module: ts.ModuleKind.ESNext,
        verbatimModuleSyntax: true,
        rewriteRelativeImportExtensions: true,
      },
    });
    const out = target + file.replace(/\.ts$/, ".js");
    mkdirSync(dirname(out), { recursive: true });
    writeFileSync(out, outputText);
  }
  return `${target}kindling.js`;
}

/** Every code fence of the guide and every `@example` of the source compiles, runs, and gives what its comments say. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { extractExamples, extractFences } from "./extract.ts";
import { instrument } from "./instrument.ts";
import { type Module, moduleText, Project } from "./program.ts";

const root = process.cwd();
const guide = filesUnder("docs/guide", ".md");
const pages = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", ...guide].filter((page) => read(page) !== undefined);
const sources = filesUnder("src", ".ts").filter((path) => !path.endsWith(".test.ts"));

const snippets = [
  ...pages.flatMap((page) => extractFences(page, read(page) ?? "")),
  ...sources.flatMap((source) => extractExamples(source, read(source) ?? "")),
];
const project = new Project(root, sources);
const modules = snippets.map((snippet) => project.module(snippet));
const errors = project.check(modules);

describe("documentation", () => {
  const folder = mkdtempSync(join(tmpdir(), "kindling-docs-"));
  beforeAll(() => process.chdir(folder)); // snippets may write files
  afterAll(() => {
    process.chdir(root);
    rmSync(folder, { recursive: true, force: true });
    rmSync(join(root, "runs/docs"), { recursive: true, force: true });
  });

  const named = modules.map((module): [string, Module] => [`${module.snippet.file}:${module.snippet.line}`, module]);
  test.each(named)("%s", async (_name, module) => {
    const wrong = errors.get(module) ?? [];
    if (wrong.length > 0) throw new Error(`does not compile\n${wrong.join("\n")}`);
    if (!module.snippet.noRun) await runModule(module);
  });

  test("hardly any snippet goes unrun", () => {
    const unrun = snippets.filter(({ noRun }) => noRun).length;
    expect(unrun).toBeLessThanOrEqual(Math.max(1, snippets.length / 20));
  });
});

async function runModule(module: Module): Promise<void> {
  const { path, prelude, snippet } = module;
  const checks = JSON.stringify(join(root, "test/docs/check.ts"));
  const imports = `${prelude} import { check as __check, throws as __throws } from ${checks};`;
  mkdirSync(dirname(path), { recursive: true });
  try {
    writeFileSync(path, moduleText({ ...module, prelude: imports }, instrument(snippet.code, snippet.line)));
    await import(path);
  } catch (error) {
    const said = error instanceof Error ? error.message : String(error);
    throw new Error(`${snippet.file}:${snippet.line}: ${said}`, { cause: error });
  }
}

function filesUnder(folder: string, ending: string): string[] {
  const names = readdirSync(join(root, folder), { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(ending))
    .map((name) => `${folder}/${name}`)
    .sort();
}

function read(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return undefined;
  }
}

/** The tarball that would be published holds what it should, and imports everywhere. Nothing here needs a network. */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type OnResolveArgs, type OnResolveResult } from "esbuild";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, expect, test } from "vitest";

interface Manifest {
  readonly name: string;
  readonly exports: Record<string, unknown>;
}

const manifest: Manifest = JSON.parse(readFileSync("package.json", "utf8"));
const entries = Object.keys(manifest.exports)
  .filter((path) => path !== "./package.json")
  .map((path) => manifest.name + path.slice(1));

const app = mkdtempSync(join(tmpdir(), "kindling-package-"));
const installed = join(app, "node_modules", manifest.name);
let files: string[] = [];

beforeAll(() => {
  const npm = (...args: string[]): string =>
    execFileSync("npm", args, {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, npm_config_loglevel: "error" },
    });
  execFileSync(process.execPath, ["scripts/build.mjs"], { stdio: ["ignore", "pipe", "pipe"] });
  const packed: [{ filename: string; files: { path: string }[] }] = JSON.parse(
    npm("pack", "--json", "--ignore-scripts", "--pack-destination", app),
  );
  files = packed[0].files.map((file) => file.path);
  mkdirSync(installed, { recursive: true });
  execFileSync("tar", ["-xzf", join(app, packed[0].filename), "--strip-components=1", "-C", installed]);
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", type: "module" }));
}, 120_000);

afterAll(() => rmSync(app, { recursive: true, force: true }));

/** Runs a module of the application that has kindling installed. */
function node(code: string, env: NodeJS.ProcessEnv = {}): string {
  return execFileSync(process.execPath, ["--input-type=module", "--eval", code], {
    cwd: app,
    env: { ...process.env, ...env },
    encoding: "utf8",
  });
}

/** Of other packages only optional ones are asked for, when first used; an application brings them. */
function onlyOptional({ path, kind }: OnResolveArgs): OnResolveResult | undefined {
  if (kind === "entry-point" || path === manifest.name || path.startsWith(`${manifest.name}/`)) return undefined;
  if (kind === "dynamic-import" && !isBuiltin(path)) return { external: true };
  return { errors: [{ text: `the bundle needs ${path}` }] };
}

test("it holds the library and its sources, and no tests or builds", () => {
  expect(files).toEqual(
    expect.arrayContaining(["LICENSE", "README.md", "dist/index.js", "dist/index.d.ts", "src/index.ts"]),
  );
  const foreign = /\.test\.|^native\/build|\.node$|\.log$|^(test|bench|examples|docs|runs)\//;
  expect(files.filter((path) => foreign.test(path))).toEqual([]);
});

test.each(["js", undefined])("every export imports in Node (KINDLING_BACKEND=%s)", (backend) => {
  const code = `for (const name of ${JSON.stringify(entries)}) {
    const names = Object.keys(await import(name));
    if (names.length === 0) throw new Error(name + " exports nothing");
    if (names.includes("default")) throw new Error(name + " has a default export");
    console.log(name);
  }`;
  expect(node(code, { KINDLING_BACKEND: backend }).trim().split("\n")).toEqual(entries);
});

test.each(["js", undefined])("a tensor computes in Node (KINDLING_BACKEND=%s)", (backend) => {
  const code = `import { tensor } from "kindling";
    const x = tensor([1, 2, 3], { requiresGrad: true });
    x.mul(x).sum().backward();
    console.log(JSON.stringify(x.grad.toArray()));`;
  expect(node(code, { KINDLING_BACKEND: backend }).trim()).toBe("[2,4,6]");
});

test("importing it does nothing but import", () => {
  expect(node(`await Promise.all(${JSON.stringify(entries)}.map((name) => import(name)));`)).toBe("");
});

test("its declarations are complete", () => {
  const names = entries.map((entry, i) => `import * as m${i} from "${entry}";\nexport const k${i}: object = m${i};`);
  writeFileSync(join(app, "use.ts"), names.join("\n"));
  const target = { module: "NodeNext", target: "ES2023", lib: ["ES2023", "DOM"], types: [] };
  const compilerOptions = { ...target, strict: true, noEmit: true };
  writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["use.ts"] }));
  const compiler = join(process.cwd(), "node_modules/typescript/bin/tsc");
  expect(spawnSync(process.execPath, [compiler], { cwd: app, encoding: "utf8" }).stdout).toBe("");
});

test("it bundles for the browser without a part of Node", async () => {
  const code = entries.map((entry, i) => `import * as m${i} from "${entry}"; globalThis.m${i} = m${i};`).join("\n");
  const result = await build({
    stdin: { contents: code, resolveDir: app },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    logLevel: "silent",
    metafile: true,
    plugins: [{ name: "optional", setup: ({ onResolve }) => onResolve({ filter: /^[^.#/]/ }, onlyOptional) }],
  });
  const inputs = Object.keys(result.metafile.inputs).filter((path) => path.includes("platform/"));
  expect(inputs.map((path) => path.replace(/^.*platform\//, ""))).toEqual(["browser.js"]);
});

test("publint finds nothing to say", async () => {
  const { messages, pkg } = await publint({ pkgDir: installed, pack: false });
  expect(messages.map((message) => formatMessage(message, pkg ?? {}))).toEqual([]);
});

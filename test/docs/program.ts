import { join } from "node:path";
import ts from "typescript";
import type { Snippet } from "./extract.ts";
import { freeNames } from "./instrument.ts";

/** Where names come from that an example in a doc comment does not import, besides its own file. */
const entries = ["src/index.ts", "src/data/index.ts", "src/io/index.ts", "src/viz/index.ts", "src/vision/index.ts"];

/** A snippet made a module: its imports on the first line, its code on the lines it has in its file. */
export interface Module {
  readonly snippet: Snippet;
  readonly path: string;
  readonly prelude: string;
}

/** Type-checks snippets in one program; knows what the project exports. */
export class Project {
  readonly #root: string;
  readonly #options: ts.CompilerOptions;
  readonly #host: ts.CompilerHost;
  readonly #virtual = new Map<string, string>();
  readonly #program: ts.Program;
  readonly #checker: ts.TypeChecker;
  readonly #public = new Map<string, string>();

  constructor(root: string, sources: readonly string[]) {
    this.#root = root;
    const settings = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
    const { options } = ts.parseJsonConfigFileContent({ ...settings.config, files: [] }, ts.sys, root);
    const unused = { noUnusedLocals: false, noUnusedParameters: false };
    const emit = { declaration: false, isolatedDeclarations: false, sourceMap: false, noEmit: true };
    const imports = { rewriteRelativeImportExtensions: false, allowImportingTsExtensions: true, types: ["node"] };
    this.#options = { ...options, ...unused, ...emit, ...imports };
    this.#host = this.#cachingHost();
    const present = [...new Set([...entries, ...sources])].map((file) => join(root, file)).filter(ts.sys.fileExists);
    this.#program = ts.createProgram(present, this.#options, this.#host);
    this.#checker = this.#program.getTypeChecker();
    for (const entry of entries) this.#publish(join(root, entry));
  }

  /** Adds the imports a snippet leaves out. */
  module(snippet: Snippet): Module {
    const path = join(this.#root, "runs/docs", `${snippet.file.replaceAll("/", "-")}-${snippet.line}.ts`);
    if (!snippet.autoImport) return { snippet, path, prelude: "" };
    const own = new Map<string, string>();
    this.#addExports(own, join(this.#root, snippet.file));
    const imports = freeNames(snippet.code).map((name) => own.get(name) ?? this.#public.get(name));
    return { snippet, path, prelude: imports.filter((line) => line !== undefined).join(" ") };
  }

  /** The type errors of each module, as `file:line: message`. */
  check(modules: readonly Module[]): Map<Module, string[]> {
    for (const module of modules) this.#virtual.set(module.path, moduleText(module, module.snippet.code));
    const files = [...this.#program.getRootFileNames(), ...this.#virtual.keys()];
    const program = ts.createProgram(files, this.#options, this.#host, this.#program);
    return new Map(
      modules.map((module) => {
        const source = program.getSourceFile(module.path);
        const found = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
        return [module, found.map((diagnostic) => describe(module, diagnostic))];
      }),
    );
  }

  /** The import line for every name of an entry, and for the names inside its namespaces (`nn.Linear`, `optim.sgd`). */
  #publish(entry: string): void {
    for (const symbol of this.#addExports(this.#public, entry)) {
      const target = this.#resolve(symbol);
      if ((target.flags & ts.SymbolFlags.Module) === 0) continue;
      for (const member of this.#checker.getExportsOfModule(target)) {
        const file = this.#resolve(member).declarations?.[0]?.getSourceFile().fileName;
        if (file !== undefined) this.#add(this.#public, member, file);
      }
    }
  }

  #addExports(table: Map<string, string>, file: string): ts.Symbol[] {
    const source = this.#program.getSourceFile(file);
    const module = source === undefined ? undefined : this.#checker.getSymbolAtLocation(source);
    const symbols = module === undefined ? [] : this.#checker.getExportsOfModule(module);
    for (const symbol of symbols) this.#add(table, symbol, file);
    return symbols;
  }

  #add(table: Map<string, string>, symbol: ts.Symbol, file: string): void {
    if (table.has(symbol.name)) return;
    const type = (this.#resolve(symbol).flags & ts.SymbolFlags.Value) === 0 ? "type " : "";
    table.set(symbol.name, `import { ${type}${symbol.name} } from ${JSON.stringify(file)};`);
  }

  #resolve(symbol: ts.Symbol): ts.Symbol {
    return symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol;
  }

  #cachingHost(): ts.CompilerHost {
    const host = ts.createCompilerHost(this.#options, true);
    const { fileExists, readFile } = host;
    const cache = new Map<string, ts.SourceFile | undefined>();
    const text = (path: string): string | undefined => this.#virtual.get(path) ?? readFile(path);
    host.fileExists = (path) => this.#virtual.has(path) || fileExists(path);
    host.readFile = text;
    const { getSourceFile } = host;
    host.getSourceFile = (path, settings) => {
      const code = this.#virtual.get(path);
      if (code !== undefined) return ts.createSourceFile(path, code, settings, true);
      if (!cache.has(path)) cache.set(path, getSourceFile(path, settings));
      return cache.get(path);
    };
    return host;
  }
}

/** Code on its own lines of the file it comes from, so that every line number in a message is the file's. */
export function moduleText({ snippet, prelude }: Module, code: string): string {
  return `${prelude}${"\n".repeat(snippet.line - 1)}${code}\nexport {};\n`;
}

function describe({ snippet, path }: Module, { file, start, messageText }: ts.Diagnostic): string {
  const message = ts.flattenDiagnosticMessageText(messageText, "\n");
  if (file?.fileName !== path || start === undefined) return `${snippet.file}: ${message}`;
  const { line, character } = file.getLineAndCharacterOfPosition(start);
  return `${snippet.file}:${line + 1}:${character + 1 + snippet.indent}: ${message}`;
}

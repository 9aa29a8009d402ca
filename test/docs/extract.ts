/** A piece of code from the documentation, with where it stands. */
export interface Snippet {
  readonly file: string;
  /** Line of its first line of code, from 1. */
  readonly line: number;
  readonly code: string;
  /** Column of the code in the file: what comment stars and indents take. */
  readonly indent: number;
  /** Checked for types, never run: for what needs a network or hours. */
  readonly noRun: boolean;
  /** From a doc comment: names it does not import are brought in for it. */
  readonly autoImport: boolean;
}

/** The ```ts fences of a Markdown text. */
export function extractFences(file: string, text: string): Snippet[] {
  const snippets: Snippet[] = [];
  const lines = text.split("\n");
  for (let i = 0; i < lines.length; i++) {
    const open = /^(\s*)(`{3,})(\S*)(.*)$/.exec(lines[i]);
    if (open === null) continue;
    const [, space, ticks, language, flags] = open;
    const end = lines.findIndex((line, j) => j > i && line.trim() === ticks);
    if (end === -1) throw new Error(`${file}:${i + 1}: this fence is never closed`);
    if (language === "ts" || language === "typescript") {
      const code = lines.slice(i + 1, end).map((line) => line.replace(space, ""));
      const noRun = flags.split(/\s+/).includes("no-run");
      snippets.push({ file, line: i + 2, code: code.join("\n"), indent: space.length, noRun, autoImport: false });
    }
    i = end;
  }
  return snippets;
}

/** The `@example` blocks of a source file's doc comments. A fence in one is optional; without it all lines are code. */
export function extractExamples(file: string, text: string): Snippet[] {
  const snippets: Snippet[] = [];
  for (const comment of text.matchAll(/\/\*\*[\s\S]*?\*\//g)) {
    const firstLine = text.slice(0, comment.index).split("\n").length;
    const lines = comment[0].replace(/\s*\*\/$/, "").split("\n");
    for (let i = 0; i < lines.length; i++) {
      if (!/^\s*(\/\*)?\*\s*@example\b/.test(lines[i])) continue;
      let end = i + 1;
      while (end < lines.length && !/^\s*\*\s*@[a-z]/i.test(lines[end])) end++;
      snippets.push(...exampleOf(file, lines.slice(i + 1, end), firstLine + i + 1));
      i = end - 1;
    }
  }
  return snippets;
}

function exampleOf(file: string, lines: readonly string[], line: number): Snippet[] {
  const star = /^\s*\* ?/;
  const indent = star.exec(lines[0] ?? "")?.[0].length ?? 0;
  const body = lines.map((text) => text.replace(star, ""));
  if (body.some((text) => text.startsWith("```"))) {
    return extractFences(file, body.join("\n")).map((fence) => ({
      ...fence,
      line: fence.line + line - 1,
      indent,
      autoImport: true,
    }));
  }
  const code = body.join("\n").trimEnd();
  return code.trim() === "" ? [] : [{ file, line, code, indent, noRun: false, autoImport: true }];
}

import ts from "typescript";

/** Expression statements, calls of console.log and single declarations may carry a result comment. */
const resultComment = /^[ \t]*(?:\n[ \t]*)?\/\/ (=>|throws )[ \t]*([^\n]*(?:\n[ \t]*\/\/ {4,}[^\n]*)*)/;

interface Edit {
  readonly at: number;
  readonly text: string;
}

/**
 * Turns `expression; // => value` into `check(expression, "value", line);` and `expression; // throws Error` into
 * a call of `throws`. Lines stay where they are. `firstLine` is the line of the code in its file.
 * @throws SyntaxError for a result comment that follows no expression.
 */
export function instrument(code: string, firstLine: number): string {
  const source = ts.createSourceFile("snippet.ts", code, ts.ScriptTarget.ES2023, true);
  const edits: Edit[] = [];
  let attached = 0;
  const visit = (node: ts.Node): void => {
    const found = ts.isStatement(node) ? resultComment.exec(code.slice(node.end)) : null;
    if (found !== null && ts.isStatement(node)) {
      const [, kind, text] = found;
      const line = firstLine + source.getLineAndCharacterOfPosition(node.end).line;
      const expected = JSON.stringify(text.replace(/\n[ \t]*\/\//g, "\n").trim());
      const added = kind === "=>" ? checkEdits(node, expected, line) : throwsEdits(node, expected, line);
      edits.push(...added);
      if (added.length > 0) attached++;
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  const comments = code.match(/\/\/ (=>|throws )/g)?.length ?? 0;
  if (comments !== attached) {
    throw new SyntaxError(`${comments} result comments, but ${attached} follow an expression or a declaration`);
  }
  return apply(code, edits);
}

/** Names a piece of code uses and does not declare. */
export function freeNames(code: string): string[] {
  const source = ts.createSourceFile("snippet.ts", code, ts.ScriptTarget.ES2023, true);
  const used = new Set<string>();
  const declared = new Set<string>();
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node)) {
      const { parent } = node;
      const isName = "name" in parent && parent.name === node;
      if (!isName || ts.isShorthandPropertyAssignment(parent)) used.add(node.text);
      else if (!ts.isPropertyAccessExpression(parent) && !ts.isPropertyAssignment(parent)) declared.add(node.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...used].filter((name) => !declared.has(name));
}

function checkEdits(node: ts.Statement, expected: string, line: number): Edit[] {
  const expression = resultOf(node);
  if (expression === undefined) return [];
  return [
    { at: expression.getStart(), text: "__check((" },
    { at: expression.end, text: `), ${expected}, ${line})` },
  ];
}

function throwsEdits(node: ts.Statement, expected: string, line: number): Edit[] {
  if (!ts.isExpressionStatement(node) && !ts.isVariableStatement(node)) return [];
  return [
    { at: node.getStart(), text: "await __throws(async () => { " },
    { at: node.end, text: ` }, ${expected}, ${line});` },
  ];
}

function resultOf(node: ts.Statement): ts.Expression | undefined {
  if (ts.isExpressionStatement(node)) {
    const { expression } = node;
    const isLog = ts.isCallExpression(expression) && expression.expression.getText() === "console.log";
    if (!isLog) return expression;
    return expression.arguments.length === 1 ? expression.arguments[0] : undefined;
  }
  if (!ts.isVariableStatement(node)) return undefined;
  const { declarations } = node.declarationList;
  return declarations.length === 1 ? declarations[0].initializer : undefined;
}

function apply(code: string, edits: readonly Edit[]): string {
  let result = code;
  for (const { at, text } of edits.toSorted((a, b) => b.at - a.at)) {
    result = result.slice(0, at) + text + result.slice(at);
  }
  return result;
}

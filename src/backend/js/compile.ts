import type { Instruction, ScalarOp } from "../expr.ts";
import { loadOf, storeOf } from "./element.ts";
import { joins, type Nest, type NestSpec } from "./nest.ts";
import { functions, inlined } from "./scalar.ts";

/** Whether functions may be made from source here; content security policies can forbid it. */
export function canCompile(): boolean {
  try {
    return new Function("return true")();
  } catch {
    return false;
  }
}

/** A {@link Nest} as JavaScript made for one kernel, its dtypes and its innermost strides, so that V8 sees a plain loop. */
export function compileNest(spec: NestSpec): Nest {
  const link = new Function("f", "loads", "stores", `"use strict";\n${sourceOf(spec)}`);
  return link(functions, spec.dtypes.map(loadOf), spec.dtypes.map(storeOf));
}

/** What compileNest compiles, for reading. */
export function sourceOf(spec: NestSpec): string {
  const { kernel, dtypes, reduce } = spec;
  const views = dtypes.map((_, v) => v);
  const each = (line: (v: number) => string): string => views.map(line).join(" ");
  const { invariant, varying } = instructionLines(spec);
  const used = new Set(kernel.code.flatMap((step) => (step.kind === "call" ? [step.op] : [])));
  const innerKept = reduce?.kept === "inner";
  const outerKept = reduce?.kept === "outer";
  return [
    ...[...used].filter((op) => inlined[op] === undefined).map((op) => `const ${op}_ = f.${op};`),
    each((v) => (loadOf(dtypes[v]) ? `const load${v} = loads[${v}];` : "")),
    each((v) => (storeOf(dtypes[v]) ? `const store${v} = stores[${v}];` : "")),
    "return (data, offsets, strides, sizes, scalars, sums) => {",
    "const n0 = sizes[0], n1 = sizes[1], n2 = sizes[2];",
    each((v) => `const d${v} = data[${v}];`),
    each((v) => `const x${v} = strides[${3 * v}], y${v} = strides[${3 * v + 1}], z${v} = strides[${3 * v + 2}];`),
    Array.from({ length: kernel.scalarCount }, (_, i) => `const s${i} = +scalars[${i}];`).join(" "),
    each((v) => `let r${v} = offsets[${v}];`),
    "for (let k = 0; k < n2; k++) {",
    outerKept ? "let sum = sums[k];" : "",
    each((v) => `let q${v} = r${v};`),
    "for (let j = 0; j < n1; j++) {",
    each((v) => `let p${v} = q${v};`),
    ...invariant,
    "for (let i = 0; i < n0; i++) {",
    innerKept ? "let sum = sums[i];" : "",
    ...varying,
    ...endLines(spec),
    innerKept ? "sums[i] = sum;" : "",
    each((v) => (strideKind(spec, v) === "any" ? `p${v} += x${v};` : "")),
    "}",
    each((v) => `q${v} += y${v};`),
    "}",
    outerKept ? "sums[k] = sum;" : "",
    each((v) => `r${v} += z${v};`),
    "}",
    "};",
  ]
    .filter((line) => line.trim() !== "")
    .join("\n");
}

/** One line for each instruction; those that do not change along the innermost loop go before it. */
function instructionLines(spec: NestSpec): { invariant: string[]; varying: string[] } {
  const invariant: string[] = [];
  const varying: string[] = [];
  const isFixed: boolean[] = [];
  for (const [position, step] of spec.kernel.code.entries()) {
    const fixed =
      step.kind === "call"
        ? step.args.every((argument) => isFixed[argument])
        : step.kind !== "input" || strideKind(spec, step.index) === "zero";
    isFixed.push(fixed);
    (fixed ? invariant : varying).push(`const v${position} = ${textOf(spec, step)};`);
  }
  return { invariant, varying };
}

function endLines({ kernel, dtypes, reduce, innerStrides }: NestSpec): string[] {
  if (reduce !== undefined) {
    const value = `v${kernel.results[0]}`;
    const text = joins[reduce.kind].text;
    return [`const v = ${reduce.asBool ? `${value} !== 0 ? 1 : 0` : value};`, `sum = ${text};`];
  }
  return kernel.results.map((position, k) => {
    const view = kernel.inputCount + k;
    const value = storeOf(dtypes[view]) ? `store${view}(v${position})` : `v${position}`;
    return `d${view}[${innerStrides[view] === 1 ? `p${view} + i` : `p${view}`}] = ${value};`;
  });
}

function textOf(spec: NestSpec, step: Instruction): string {
  switch (step.kind) {
    case "input": {
      const v = step.index;
      const element = `d${v}[${strideKind(spec, v) === "one" ? `p${v} + i` : `p${v}`}]`;
      return loadOf(spec.dtypes[v]) ? `load${v}(${element})` : element;
    }
    case "scalar":
      return `s${step.index}`;
    case "constant":
      return Object.is(step.value, -0) ? "-0" : String(step.value);
    case "call":
      return callText(step.op, step.args);
  }
}

function callText(op: ScalarOp, args: readonly number[]): string {
  const [a, b = "", c = ""] = args.map((argument) => `v${argument}`);
  const inline = inlined[op];
  return inline === undefined ? `${op}_(${args.map((argument) => `v${argument}`).join(", ")})` : inline(a, b, c);
}

function strideKind({ innerStrides }: NestSpec, view: number): "zero" | "one" | "any" {
  const stride = innerStrides[view];
  return stride === 0 ? "zero" : stride === 1 ? "one" : "any";
}

import { type Expected, parseExpected } from "./expected.ts";

/**
 * Whether `actual` is what a `// =>` comment shows: an equal value, or a value that prints so.
 * Tensors compare by their numbers to a literal, and by their printed form to any other text.
 */
export function shows(actual: unknown, text: string): boolean {
  const expected = tryParse(text);
  if (expected !== undefined && matches(actual, expected)) return true;
  if (typeof actual === "object" && actual !== null) {
    if ("toArray" in actual && typeof actual.toArray === "function" && expected !== undefined) {
      return matches(actual.toArray(), expected);
    }
  }
  return expected === undefined && printsAs(printed(actual), text);
}

/** How a value reads in a message. */
export function printed(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null) return String(value);
  const ownText = value.toString !== Object.prototype.toString && !Array.isArray(value) && !ArrayBuffer.isView(value);
  return ownText ? String(value) : JSON.stringify(value, readable, 1).replace(/\s*\n\s*/g, " ");
}

function tryParse(text: string): Expected | undefined {
  try {
    return parseExpected(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function matches(actual: unknown, expected: Expected): boolean {
  switch (expected.kind) {
    case "number":
      return typeof actual === "number" && sameNumber(actual, expected.value, expected.tolerance);
    case "primitive":
      return Object.is(actual, expected.value);
    case "prefix":
      return typeof actual === "string" && actual.startsWith(expected.value);
    case "array": {
      const items = listOf(actual);
      if (items === undefined) return false;
      const { length } = expected.items;
      const fits = expected.open ? items.length >= length : items.length === length;
      return fits && expected.items.every((item, i) => matches(items[i], item));
    }
    case "object": {
      if (typeof actual !== "object" || actual === null || Array.isArray(actual)) return false;
      const fields = new Map<string, unknown>(actual instanceof Map ? actual : Object.entries(actual));
      if (!expected.open && fields.size !== expected.fields.size) return false;
      return [...expected.fields].every(([key, value]) => fields.has(key) && matches(fields.get(key), value));
    }
  }
}

function sameNumber(actual: number, value: number, tolerance: number): boolean {
  return Object.is(actual, value) || actual === value || Math.abs(actual - value) <= tolerance;
}

function listOf(value: unknown): unknown[] | undefined {
  if (Array.isArray(value)) return value;
  return ArrayBuffer.isView(value) && !(value instanceof DataView) ? Object.values(value) : undefined;
}

function printsAs(actual: string, text: string): boolean {
  const [a, b] = [actual, text].map((s) => s.replace(/\s+/g, " ").trim());
  return b.endsWith("…") ? a.startsWith(b.slice(0, -1).trimEnd()) : a === b;
}

function readable(_key: string, value: unknown): unknown {
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Map) return Object.fromEntries(value);
  return listOf(value) ?? value;
}

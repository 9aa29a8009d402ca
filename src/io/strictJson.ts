import { DataError } from "../backend/errors.ts";

/** What {@link parseStrictJson} reads; objects become maps, in which no name has a meaning of its own. */
export type StrictJson = null | boolean | number | string | readonly StrictJson[] | ReadonlyMap<string, StrictJson>;

/** Deeper than any file of ours, and far from the end of the stack. */
const deepest = 32;

const blank = /[ \t\n\r]*/y;
const numeral = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const words: Readonly<Record<string, null | boolean>> = { n: null, t: true, f: false };

/**
 * JSON for headers of files: as `JSON.parse`, but an object that names a key twice is refused, and so is nesting deeper
 * than 32. Two readers of one file must not see two things.
 *
 * @param operation - For error messages.
 * @throws {@link DataError} saying where in the text the trouble is.
 */
export function parseStrictJson(operation: string, text: string): StrictJson {
  const reader = new Reader(operation, text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  readonly #operation: string;
  readonly #text: string;
  #at = 0;

  constructor(operation: string, text: string) {
    this.#operation = operation;
    this.#text = text;
  }

  value(depth: number): StrictJson {
    if (depth > deepest) this.#fail(`values nest deeper than ${deepest}`);
    this.#skipBlanks();
    const first = this.#text[this.#at];
    if (first === "{") return this.#object(depth);
    if (first === "[") return this.#array(depth);
    if (first === '"') return this.#string();
    if (first !== undefined && Object.hasOwn(words, first)) return this.#word(words[first]);
    return this.#number();
  }

  end(): void {
    this.#skipBlanks();
    if (this.#at < this.#text.length) this.#fail("text goes on after the value");
  }

  #object(depth: number): ReadonlyMap<string, StrictJson> {
    const entries = new Map<string, StrictJson>();
    this.#list("}", () => {
      const start = this.#at;
      if (this.#text[start] !== '"') this.#fail("expected a name in double quotes");
      const key = this.#string();
      if (entries.has(key)) this.#fail(`the name ${JSON.stringify(key)} comes twice`, start);
      this.#skipBlanks();
      this.#expect(":");
      entries.set(key, this.value(depth + 1));
    });
    return entries;
  }

  #array(depth: number): readonly StrictJson[] {
    const entries: StrictJson[] = [];
    this.#list("]", () => entries.push(this.value(depth + 1)));
    return entries;
  }

  /** From an opening bracket to its `closing` one. */
  #list(closing: string, entry: () => void): void {
    this.#at++;
    this.#skipBlanks();
    if (this.#text[this.#at] === closing) {
      this.#at++;
      return;
    }
    for (;;) {
      this.#skipBlanks();
      entry();
      this.#skipBlanks();
      if (this.#text[this.#at] === closing) break;
      this.#expect(",");
    }
    this.#at++;
  }

  /** Finds the closing quote here, and leaves escapes and control characters to `JSON.parse`. */
  #string(): string {
    const start = this.#at;
    let end = start + 1;
    while (end < this.#text.length && this.#text[end] !== '"') end += this.#text[end] === "\\" ? 2 : 1;
    if (end >= this.#text.length) this.#fail("a string has no end", start);
    this.#at = end + 1;
    try {
      const parsed: unknown = JSON.parse(this.#text.slice(start, end + 1));
      if (typeof parsed === "string") return parsed;
    } catch {
      // told below, with the place
    }
    return this.#fail("a string has an unknown escape or a control character", start);
  }

  #word(value: null | boolean): null | boolean {
    if (!this.#text.startsWith(String(value), this.#at)) this.#fail("expected a value");
    this.#at += String(value).length;
    return value;
  }

  #number(): number {
    numeral.lastIndex = this.#at;
    const match = numeral.exec(this.#text);
    if (match === null) return this.#fail("expected a value");
    this.#at += match[0].length;
    return Number(match[0]);
  }

  #expect(character: string): void {
    if (this.#text[this.#at] !== character) this.#fail(`expected "${character}"`);
    this.#at++;
  }

  #skipBlanks(): void {
    blank.lastIndex = this.#at;
    this.#at += blank.exec(this.#text)?.[0].length ?? 0;
  }

  #fail(problem: string, at: number = this.#at): never {
    const found = this.#text.slice(at, at + 20);
    const got = found === "" ? "the end" : JSON.stringify(found);
    throw new DataError(this.#operation, `${problem} at character ${at} of the header, got ${got}.`);
  }
}

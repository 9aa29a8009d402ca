/**
 * What stands after `// =>`: a value in JavaScript's notation, or the text of one.
 * A number is right when it rounds to the digits shown. `…` stands for whatever follows.
 */
export type Expected =
  | { readonly kind: "number"; readonly value: number; readonly tolerance: number }
  | { readonly kind: "primitive"; readonly value: string | boolean | bigint | null | undefined }
  | { readonly kind: "prefix"; readonly value: string }
  | { readonly kind: "array"; readonly items: readonly Expected[]; readonly open: boolean }
  | { readonly kind: "object"; readonly fields: ReadonlyMap<string, Expected>; readonly open: boolean };

const words = new Map<string, string | boolean | number | null | undefined>([
  ["true", true],
  ["false", false],
  ["null", null],
  ["undefined", undefined],
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

/** @throws SyntaxError when the text is no value. */
export function parseExpected(text: string): Expected {
  const reader = new Reader(text);
  const value = reader.value();
  reader.end();
  return value;
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(): Expected {
    if (this.#take(/(?:\w+Array|Array)(?:\(\d+\))? ?(?=\[)/y) !== undefined || this.#peek("[")) return this.#array();
    if (this.#peek("{")) return this.#object();
    if (this.#peek('"') || this.#peek("'")) return this.#string();
    const word = this.#take(/-?[A-Za-z]+/y);
    if (word !== undefined && words.has(word)) {
      const value = words.get(word);
      return typeof value === "number" ? { kind: "number", value, tolerance: 0 } : { kind: "primitive", value };
    }
    const digits = word ?? this.#take(/[-+]?(?:\d[\d_,]*\d|\d)?(?:\.\d*)?(?:e[-+]?\d+)?n?/iy);
    return numberOf(digits ?? "") ?? this.#fail();
  }

  end(): void {
    this.#space();
    if (this.#at < this.#text.length) this.#fail();
  }

  #array(): Expected {
    const items: Expected[] = [];
    const open = this.#list("[", "]", () => items.push(this.value()));
    return { kind: "array", items, open };
  }

  #object(): Expected {
    const fields = new Map<string, Expected>();
    const open = this.#list("{", "}", () => {
      const key = this.#take(/[\w$]+|"[^"]*"|'[^']*'/y) ?? this.#fail();
      if (this.#take(/:/y) === undefined) this.#fail();
      fields.set(key.replace(/^["']|["']$/g, ""), this.value());
    });
    return { kind: "object", fields, open };
  }

  /** Reads `open item, item close`; whether it ends in an ellipsis. */
  #list(open: string, close: string, item: () => void): boolean {
    if (!this.#peek(open)) this.#fail();
    this.#at++;
    let more = false;
    while (!this.#peek(close)) {
      more = this.#take(/…|\.\.\./y) !== undefined;
      if (!more) item();
      if (this.#take(/,/y) === undefined && !this.#peek(close)) this.#fail();
      if (more && !this.#peek(close)) this.#fail();
    }
    this.#at++;
    return more;
  }

  #string(): Expected {
    const quoted = this.#take(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/y) ?? this.#fail();
    const inner = quoted.slice(1, -1).replace(/\\'/g, "'");
    const value: string = JSON.parse(`"${quoted.startsWith("'") ? inner.replace(/(?<!\\)"/g, '\\"') : inner}"`);
    return value.endsWith("…") ? { kind: "prefix", value: value.slice(0, -1) } : { kind: "primitive", value };
  }

  #space(): void {
    while (/\s/.test(this.#text.charAt(this.#at))) this.#at++;
  }

  #peek(text: string): boolean {
    this.#space();
    return this.#text.startsWith(text, this.#at);
  }

  #take(pattern: RegExp): string | undefined {
    this.#space();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found === undefined || found === "") return undefined;
    this.#at += found.length;
    return found;
  }

  #fail(): never {
    throw new SyntaxError(`no value at column ${this.#at + 1} of: ${this.#text}`);
  }
}

/** Half a unit of the last digit shown; a whole number stands for itself, give or take float32's rounding. */
function numberOf(text: string): Expected | undefined {
  const found = /^([-+]?)(\d[\d_,]*)?(?:\.(\d*))?(?:e([-+]?\d+))?(n?)$/i.exec(text);
  if (found === null || !/\d/.test(text)) return undefined;
  const [, sign, whole = "", fraction = "", exponent = "0", big] = found;
  const digits = whole.replace(/[_,]/g, "");
  if (big !== "") return { kind: "primitive", value: BigInt(`${sign === "-" ? "-" : ""}${digits}`) };
  const value = Number(`${sign}${digits}.${fraction}e${exponent}`);
  const exact = fraction === "" && exponent === "0";
  const tolerance = exact ? 1e-6 * Math.abs(value) : 0.5 * 10 ** (Number(exponent) - fraction.length);
  return { kind: "number", value, tolerance: tolerance * (1 + 1e-6) };
}

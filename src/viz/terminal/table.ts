import { print } from "#platform";
import { ArgumentError } from "../../backend/errors.ts";

/** How a column shows its numbers: `0.1234`, `12` or `3.2 s`; text is shown as it is. */
export type ColumnKind = "number" | "integer" | "seconds" | "text";

/** A column: its name alone for numbers, or with the kind of its values. */
export type Column = string | { name: string; kind: ColumnKind };

export interface TableOptions {
  /** Takes each finished line, without its line break. Default: prints it on stdout. */
  write?: (line: string) => void;
}

const smallestWidths: Readonly<Record<ColumnKind, number>> = { number: 8, integer: 5, seconds: 8, text: 5 };
const gap = "  ";

/**
 * A table printed as it grows: the header with the first row, then a line per row.
 *
 * Columns are as wide as their header or their format needs, so that rows stay aligned without knowing later ones.
 *
 * @example
 * const table = new Table([{ name: "epoch", kind: "integer" }, "loss"], { write: (line) => console.log(line) });
 * table.row({ epoch: 0, loss: 0.25 });
 * // epoch      loss
 * //     0    0.2500
 */
export class Table {
  readonly #columns: readonly { name: string; kind: ColumnKind; width: number }[];
  readonly #write: (line: string) => void;
  #hasHeader = false;

  /** @throws {@link ArgumentError} when two columns have the same name, or there is none. */
  constructor(columns: readonly Column[], { write = print }: TableOptions = {}) {
    this.#columns = columns.map((column) => {
      const { name, kind } = typeof column === "string" ? { name: column, kind: "number" as const } : column;
      return { name, kind, width: Math.max(name.length, smallestWidths[kind]) };
    });
    const names = this.#columns.map(({ name }) => name);
    if (names.length === 0 || new Set(names).size < names.length) {
      throw new ArgumentError("Table", `columns must be one or more different names, got [${names.join(", ")}].`);
    }
    this.#write = write;
  }

  /**
   * Prints a row; a column without a value stays empty.
   *
   * @throws {@link ArgumentError} when a value belongs to no column.
   */
  row(values: Readonly<Record<string, number | string | undefined>>): void {
    const unknown = Object.keys(values).find((name) => !this.#columns.some((column) => column.name === name));
    if (unknown !== undefined) {
      const names = this.#columns.map(({ name }) => name).join(", ");
      throw new ArgumentError("Table.row", `there is no column "${unknown}". Columns: ${names}.`);
    }
    if (!this.#hasHeader) {
      this.#line(this.#columns.map(({ name }) => name));
      this.#hasHeader = true;
    }
    this.#line(this.#columns.map(({ name, kind }) => formatCell(values[name], kind)));
  }

  #line(cells: readonly string[]): void {
    const padded = this.#columns.map(({ kind, width }, i) =>
      kind === "text" ? cells[i].padEnd(width) : cells[i].padStart(width),
    );
    this.#write(padded.join(gap).trimEnd());
  }
}

/**
 * A number for reading: four decimals (fewer from 10 on), or an exponent below 0.001 and from 100,000 on.
 *
 * @example
 * formatNumber(0.12345); // => "0.1235"
 * formatNumber(0.0000123); // => "1.23e-5"
 */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  if (size !== 0 && (size < 0.001 || size >= 100_000)) return value.toExponential(2);
  return value.toFixed(Math.max(0, 4 - Math.max(0, Math.floor(Math.log10(size || 1)))));
}

function formatCell(value: number | string | undefined, kind: ColumnKind): string {
  if (value === undefined) return "";
  if (typeof value === "string") return value;
  if (kind === "seconds") return formatSeconds(value);
  return kind === "number" ? formatNumber(value) : String(value);
}

function formatSeconds(seconds: number): string {
  return Number.isFinite(seconds) ? `${seconds.toFixed(seconds < 1000 ? 1 : 0)} s` : formatNumber(seconds);
}

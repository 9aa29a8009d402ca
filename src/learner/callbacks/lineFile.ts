import { appendFile, readFile, replaceFile } from "#platform";
import { DataError } from "../../backend/errors.ts";
import type { Json } from "../callback.ts";

/** How a log file is begun. */
export interface LineFileOptions {
  /** Whether a file that is there is written over, instead of added to. Default false. */
  readonly overwrite?: boolean;
}

/** A text file that grows by a line at a time, each in the file before the next; a resumed run goes on where it left off. */
export class LineFile {
  readonly path: string;
  private readonly _operation: string;
  private _header: string | undefined;
  private _lines = 0;
  private _keep: number | undefined;
  private _overwrites: boolean;
  private _isReady = false;

  constructor(operation: string, path: string, { overwrite = false }: LineFileOptions = {}) {
    this._operation = operation;
    this.path = path;
    this._overwrites = overwrite;
  }

  /**
   * Looks whether the file can be added to; nothing is written before the first line is.
   *
   * @throws {@link DataError} when it has another header.
   */
  async begin(header?: string): Promise<void> {
    this._header = header;
    this._isReady = false;
    if (!this._overwrites) this.check(linesOf(await this.text()));
  }

  /** Adds a line. */
  async add(line: string): Promise<void> {
    if (!this._isReady) await this.prepare();
    await appendFile(this.path, `${line}\n`);
    this._lines++;
  }

  /** Lines so far, without the header. */
  state(): Json {
    return this._lines;
  }

  /** Lines behind these are taken off before the next is added. */
  loadState(state: Json): void {
    this._keep = Number(state);
    this._lines = this._keep;
    this._overwrites = false;
    this._isReady = false;
  }

  /** Leaves the lines that count, and a header before them. */
  private async prepare(): Promise<void> {
    const text = await this.text();
    const lines = this._overwrites ? [] : linesOf(text);
    this.check(lines);
    const before = this._header === undefined ? 0 : 1;
    const kept = this._keep === undefined ? lines : lines.slice(0, this._keep + before);
    if (kept.length === 0 && this._header !== undefined) kept.push(this._header);
    const wanted = kept.map((line) => `${line}\n`).join("");
    if (wanted !== text) await replaceFile(this.path, new TextEncoder().encode(wanted));
    this._lines = kept.length - before;
    this._keep = undefined;
    this._overwrites = false;
    this._isReady = true;
  }

  private check(lines: readonly string[]): void {
    if (this._header === undefined || lines.length === 0 || lines[0] === this._header) return;
    const columns = `"${this.path}" has the columns ${lines[0]}, not ${this._header}`;
    throw new DataError(this._operation, `${columns}. Choose another file, or { overwrite: true }.`);
  }

  private async text(): Promise<string> {
    const bytes = await readFile(this.path);
    return bytes === undefined ? "" : new TextDecoder().decode(bytes);
  }
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

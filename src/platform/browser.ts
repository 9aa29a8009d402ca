/** Memory for tensors; browsers offer zero-filled memory only. */
export function allocateBytes(byteLength: number): ArrayBuffer {
  return new ArrayBuffer(byteLength);
}

/** Bytes of all array buffers of the page, or `undefined` where that is not known. */
export function heldBytes(): number | undefined {
  return undefined;
}

/** An environment variable; a browser has none. */
export function environment(_name: string): string | undefined {
  return undefined;
}

/** Tells the user something on the console. */
export function warn(line: string): void {
  console.warn(line);
}

/** Prints a line on the console. */
export function print(line: string): void {
  console.log(line);
}

/** The terminal for passing messages; a browser has none. */
export function terminal(): undefined {
  return undefined;
}

/** Name of this machine; a page knows its server's only. */
export function hostName(): string {
  return globalThis.location?.hostname || "browser";
}

/** Writing files needs Node. */
export async function writeFile(path: string, _content: string | Uint8Array): Promise<void> {
  throw new Error(`A browser cannot write the file "${path}".`);
}

/** A file being written from start to end. */
export interface FileWriter {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Writing files needs Node. */
export async function createFile(path: string): Promise<FileWriter | undefined> {
  throw new Error(`A browser cannot write the file "${path}".`);
}

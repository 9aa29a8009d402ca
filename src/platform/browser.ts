/** Memory for tensors; browsers offer zero-filled memory only. */
export function allocateBytes(byteLength: number): ArrayBuffer {
  return new ArrayBuffer(byteLength);
}

/** Bytes of all array buffers of the page, or `undefined` where that is not known. */
export function heldBytes(): number | undefined {
  return undefined;
}

/** A function that has the garbage collector look through the young objects; browsers have none. */
export function scavenger(): (() => void) | undefined {
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

/** Whether lines that are printed go to a terminal; a browser has none. */
export function printsToTerminal(): boolean {
  return false;
}

/** Name of this machine; a page knows its server's only. */
export function hostName(): string {
  return globalThis.location?.hostname || "browser";
}

/** Writing files needs Node. */
export async function writeFile(path: string, _content: string | Uint8Array): Promise<void> {
  throw new Error(`A browser cannot write the file "${path}".`);
}

/** Writing files needs Node. */
export async function appendFile(path: string, _text: string): Promise<void> {
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

/** The bytes behind an address, or `undefined` when the server has nothing there. */
export async function readFile(path: string): Promise<Uint8Array | undefined> {
  const response = await fetch(path);
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`The server answered ${response.status} for "${path}".`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Writing files needs Node. */
export async function replaceFile(path: string, _content: Uint8Array): Promise<void> {
  throw new Error(`A browser cannot write the file "${path}".`);
}

/** Writing files needs Node. */
export async function writeFolder(path: string, _files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  throw new Error(`A browser cannot write the folder "${path}".`);
}

/** Reading folders needs Node. */
export async function listFolder(path: string): Promise<readonly string[] | undefined> {
  throw new Error(`A browser cannot list the folder "${path}".`);
}

/** Writing files needs Node. */
export async function removeFolder(path: string): Promise<void> {
  throw new Error(`A browser cannot remove the folder "${path}".`);
}

/** A page has no Ctrl-C. */
export function onInterrupt(_handler: () => void): void {}

/** Unpacks a gzip file that holds at most `largest` bytes. */
export async function gunzip(bytes: Uint8Array, largest: number): Promise<Uint8Array> {
  const stream = new Blob([Uint8Array.from(bytes)]).stream().pipeThrough(new DecompressionStream("gzip"));
  const parts: Uint8Array[] = [];
  let length = 0;
  const reader = stream.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    length += part.value.length;
    if (length > largest) {
      await reader.cancel();
      throw new Error(`The unpacked file is larger than ${largest} bytes.`);
    }
  }
  const result = new Uint8Array(length);
  let position = 0;
  for (const part of parts) {
    result.set(part, position);
    position += part.length;
  }
  return result;
}

/** The SHA-256 of some bytes, in hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The folder of an installed package; a browser has none. */
export function packageFolder(_name: string): string | undefined {
  return undefined;
}

/** Compiled addons are for Node. */
export function loadAddon(_candidates: readonly string[]): { readonly module: unknown } | { readonly reason: string } {
  return { reason: "browsers cannot load compiled addons" };
}

/** The operating system and processor. */
export function platformName(): string {
  return "browser";
}

/** Lets timers, events and other promises have their turn. */
export function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

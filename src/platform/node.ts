/// <reference types="node" />
import { Buffer } from "node:buffer";
import { mkdir, open, writeFile as writeWholeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import process from "node:process";

/** Memory that is not zero-filled: clearing a block that is overwritten anyway costs more than most operations on it. */
export function allocateBytes(byteLength: number): ArrayBuffer {
  return Buffer.allocUnsafeSlow(byteLength).buffer;
}

/** Bytes of all array buffers of the process, or `undefined` where that is not known. */
export function heldBytes(): number | undefined {
  return process.memoryUsage().arrayBuffers;
}

/** An environment variable. */
export function environment(name: string): string | undefined {
  return process.env[name];
}

/** Tells the user something on stderr. */
export function warn(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Prints a line on stdout. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** The terminal for passing messages such as progress bars, or `undefined` where stderr is not one. */
export function terminal(): NodeJS.WritableStream | undefined {
  return process.stderr.isTTY ? process.stderr : undefined;
}

/** Name of this machine. */
export function hostName(): string {
  return hostname();
}

/** Writes a whole file, over one of the same name; missing folders are made. */
export async function writeFile(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeWholeFile(path, content);
}

/** A file being written from start to end. */
export interface FileWriter {
  write(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

/** Begins a new file; missing folders are made. Gives `undefined` when there is a file of that name. */
export async function createFile(path: string): Promise<FileWriter | undefined> {
  await mkdir(dirname(path), { recursive: true });
  try {
    const file = await open(path, "wx");
    return { write: (bytes) => file.writeFile(bytes), close: () => file.close() };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return undefined;
    throw error;
  }
}

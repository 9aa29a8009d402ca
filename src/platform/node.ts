/// <reference types="node" />
import { Buffer } from "node:buffer";
import { createHash, randomUUID } from "node:crypto";
import {
  appendFile as appendToFile,
  mkdir,
  open,
  readdir,
  readFile as readWholeFile,
  rename,
  rm,
  writeFile as writeWholeFile,
} from "node:fs/promises";
import { createRequire } from "node:module";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gunzip as gunzipWithCallback } from "node:zlib";

/** Memory that is not zero-filled: clearing a block that is overwritten anyway costs more than most operations on it. */
export function allocateBytes(byteLength: number): ArrayBuffer {
  return Buffer.allocUnsafeSlow(byteLength).buffer;
}

/** Bytes of all array buffers of the process, or `undefined` where that is not known. */
export function heldBytes(): number | undefined {
  return process.memoryUsage().arrayBuffers;
}

/**
 * A function that has the garbage collector look through the young objects, or `undefined` where there is none. V8 hands
 * it out with a flag only; the flag is set for a moment and shows in no context but the one made here.
 */
export function scavenger(): (() => void) | undefined {
  const isExposed = "gc" in globalThis; // because the user asked for it
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("globalThis.gc");
  if (!isExposed) setFlagsFromString("--no-expose-gc");
  return typeof collect === "function" ? () => collect({ type: "minor" }) : undefined;
}

/** An environment variable; an empty one counts as none. */
export function environment(name: string): string | undefined {
  return process.env[name] || undefined;
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

/** Whether lines that are printed go to a terminal. */
export function printsToTerminal(): boolean {
  return process.stdout.isTTY === true;
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

/** Adds text to the end of a file; the file and missing folders are made. */
export async function appendFile(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await appendToFile(path, text);
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

/** The bytes of a file, or `undefined` when there is none of that name. */
export async function readFile(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readWholeFile(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Writes a whole file so that at every instant the name stands for the old content or the new, never a part:
 * a new file in the same folder, flushed, takes over the name. Missing folders are made.
 */
export async function replaceFile(path: string, content: Uint8Array): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, "wx");
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (process.platform !== "win32") await syncFolder(folder);
}

/**
 * Makes a folder of some files so that at every instant there is none of that name or the whole of it: a new folder
 * beside it, flushed, takes the name. Missing folders above it are made.
 */
export async function writeFolder(path: string, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  const parent = dirname(path);
  const temporary = `${path}.${randomUUID()}.tmp`;
  await makeFolder(temporary);
  try {
    for (const [name, content] of files) {
      const file = await open(join(temporary, name), "wx");
      try {
        await file.writeFile(content);
        await file.sync();
      } finally {
        await file.close();
      }
    }
    if (process.platform !== "win32") await syncFolder(temporary);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
  if (process.platform !== "win32") await syncFolder(parent);
}

/** Makes a folder and those above it. Node's own recursion never ends where the kernel refuses, as below `/proc`. */
async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await mkdir(path);
  }
}

/** The names of what lies in a folder, or `undefined` when there is no such folder. */
export async function listFolder(path: string): Promise<readonly string[] | undefined> {
  try {
    return await readdir(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** Takes a folder away with all that is in it; it loses its name first, so that it is never seen in part. */
export async function removeFolder(path: string): Promise<void> {
  const temporary = path.endsWith(".tmp") ? path : `${path}.${randomUUID()}.tmp`;
  if (temporary !== path) await rename(path, temporary);
  await rm(temporary, { recursive: true, force: true });
}

/** Calls `handler` at the first Ctrl-C; a second one ends the process as ever. */
export function onInterrupt(handler: () => void): void {
  process.once("SIGINT", handler);
}

/** Unpacks a gzip file that holds at most `largest` bytes. */
export async function gunzip(bytes: Uint8Array, largest: number): Promise<Uint8Array> {
  return promisify(gunzipWithCallback)(bytes, { maxOutputLength: largest });
}

/** The SHA-256 of some bytes, in hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The folder of an installed package, as the user's project or else this library finds it. */
export function packageFolder(name: string): string | undefined {
  const places = [join(process.cwd(), "from-here.js"), process.argv[1], import.meta.url];
  for (const place of places) {
    try {
      if (place !== undefined) return dirname(createRequire(place).resolve(`${name}/package.json`));
    } catch {
      // not to be found from there
    }
  }
  return undefined;
}

/** Makes a rename in the folder survive a power cut. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Loads the first of some compiled addons (package names, paths or file URLs) that is there. One that is there but does
 * not load, for want of a library, say, ends the search with its reason.
 */
export function loadAddon(candidates: readonly string[]): { readonly module: unknown } | { readonly reason: string } {
  const require = createRequire(import.meta.url);
  if (process.env["OMP_WAIT_POLICY"] === undefined) process.env["GOMP_SPINCOUNT"] ??= "500"; // docs/decisions/0002
  for (const candidate of candidates) {
    const path = candidate.startsWith("file:") ? fileURLToPath(candidate) : candidate;
    try {
      return { module: require(path) };
    } catch (error) {
      const isAbsent = error instanceof Error && "code" in error && error.code === "MODULE_NOT_FOUND";
      if (!isAbsent)
        return { reason: `${candidate} does not load (${error instanceof Error ? error.message : error})` };
    }
  }
  return { reason: "no compiled addon was found" };
}

/** The operating system and processor, as in `linux-x64`. */
export function platformName(): string {
  return `${process.platform}-${process.arch}`;
}

/** Lets timers, sockets and other promises have their turn. */
export function yieldToEvents(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

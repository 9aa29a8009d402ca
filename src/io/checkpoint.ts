import { listFolder, readFile, removeFolder, sha256, warn, writeFolder } from "#platform";
import { DataError } from "../backend/errors.ts";
import type { Tensor } from "../tensor/index.ts";
import { isRecord, type Json, parseJson, stringifyJson } from "./json.ts";
import { type NamedTensors, parseSafetensors, serializeSafetensors } from "./safetensors.ts";
import type { ReadOptions } from "./safetensorsDtypes.ts";

/** Everything a checkpoint holds. */
export interface CheckpointContent {
  /** The model's parameters and buffers by path. */
  readonly model: NamedTensors;
  /** The optimizer's tensors by name. */
  readonly optimizer: NamedTensors;
  /** All that is no tensor. */
  readonly state: Json;
}

/** A checkpoint as it was read. */
export interface LoadedCheckpoint {
  /** The folder it was found in. */
  readonly path: string;
  readonly model: ReadonlyMap<string, Tensor>;
  readonly optimizer: ReadonlyMap<string, Tensor>;
  readonly state: Json;
}

/** Options of {@link saveCheckpoint}. */
export interface SaveOptions {
  /** How many of the newest checkpoints stay in the folder, this one among them. Default all. */
  readonly keep?: number;
}

const names = { model: "model.safetensors", optimizer: "optimizer.safetensors", state: "state.json" } as const;
const manifestName = "manifest.json";
const pattern = /^checkpoint-(\d+)$/;

/**
 * Adds a checkpoint to a folder: a folder `checkpoint-000001` of its own with the model, the optimizer, the rest as JSON,
 * and a manifest of their sizes and hashes.
 *
 * Everything is written under another name, flushed to the disk and then renamed: whatever happens to the process or the
 * machine, what is called a checkpoint is a whole one. Older ones are taken away only afterwards.
 *
 * @returns the new checkpoint's path.
 * @throws {@link DataError} naming the path when it cannot be written, for instance because the disk is full; what was
 * there stays as it was.
 * @example
 * await saveCheckpoint("runs/tensors", {
 *   model: new nn.Linear(4, 2).stateDict(),
 *   optimizer: {},
 *   state: { epoch: 3 },
 * });
 * (await loadCheckpoint("runs/tensors"))?.state; // => { epoch: 3 }
 */
export async function saveCheckpoint(
  folder: string,
  content: CheckpointContent,
  { keep = Number.POSITIVE_INFINITY }: SaveOptions = {},
): Promise<string> {
  const files = await filesOf(content);
  let path = folder;
  try {
    const entries = (await listFolder(folder)) ?? [];
    const numbers = numbersIn(entries);
    path = `${folder}/${nameOf((numbers[0] ?? 0) + 1)}`;
    await writeFolder(path, files);
    // What an earlier process left half written, and what is too old.
    const leftovers = entries.filter((name) => name.endsWith(".tmp"));
    const old = numbers.slice(Math.max(0, keep - 1)).map(nameOf);
    for (const name of [...leftovers, ...old]) await removeFolder(`${folder}/${name}`);
    return path;
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new DataError("saveCheckpoint", `could not write "${path}": ${problem}.`, { cause });
  }
}

/**
 * Reads the newest checkpoint of a folder that is whole, or the one checkpoint the folder is.
 * Damaged ones are passed over with a warning.
 *
 * @returns undefined when there is none.
 * @throws {@link DataError} when the folder is itself a checkpoint and damaged, or cannot be read.
 */
export async function loadCheckpoint(folder: string, options: ReadOptions = {}): Promise<LoadedCheckpoint | undefined> {
  let entries: readonly string[] | undefined;
  try {
    entries = await listFolder(folder);
  } catch (cause) {
    throw new DataError("loadCheckpoint", `could not read "${folder}": ${String(cause)}.`, { cause });
  }
  if (entries?.includes(manifestName) === true) return readCheckpoint(folder, options);
  for (const number of numbersIn(entries ?? [])) {
    const path = `${folder}/${nameOf(number)}`;
    try {
      return await readCheckpoint(path, options);
    } catch (error) {
      if (!(error instanceof DataError)) throw error;
      warn(`kindling: passed over a damaged checkpoint: ${error.message}`);
    }
  }
  return undefined;
}

async function filesOf({ model, optimizer, state }: CheckpointContent): Promise<Map<string, Uint8Array>> {
  const encoder = new TextEncoder();
  const files = new Map([
    [names.model, serializeSafetensors(model, { format: "pt" })],
    [names.optimizer, serializeSafetensors(optimizer)],
    [names.state, encoder.encode(stringifyJson(state))],
  ]);
  const listed: Record<string, Json> = {};
  for (const [name, bytes] of files) listed[name] = { bytes: bytes.length, sha256: await sha256(bytes) };
  const manifest = { format: 1, files: listed };
  return new Map<string, Uint8Array>([...files, [manifestName, encoder.encode(`${JSON.stringify(manifest)}\n`)]]);
}

async function readCheckpoint(path: string, options: ReadOptions): Promise<LoadedCheckpoint> {
  try {
    const manifest = parseJson(textOf(await present(path, manifestName)));
    if (!isRecord(manifest) || manifest["format"] !== 1) throw new Error(`${manifestName} is of an unknown format`);
    const files = manifest["files"];
    const [model, optimizer, state] = await Promise.all(
      [names.model, names.optimizer, names.state].map((name) =>
        verified(path, name, isRecord(files) ? files[name] : null),
      ),
    );
    return {
      path,
      model: parseSafetensors(model, options).tensors,
      optimizer: parseSafetensors(optimizer, options).tensors,
      state: parseJson(textOf(state)),
    };
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new DataError("loadCheckpoint", `"${path}": ${problem}.`, { cause });
  }
}

/** A file whose size and hash are those of the manifest. */
async function verified(path: string, name: string, listed: Json | undefined): Promise<Uint8Array> {
  if (!isRecord(listed)) throw new Error(`${manifestName} does not list ${name}`);
  const bytes = await present(path, name);
  if (bytes.length !== listed["bytes"]) throw new Error(`${name} has ${bytes.length} bytes, not ${listed["bytes"]}`);
  const hash = await sha256(bytes);
  if (hash !== listed["sha256"]) throw new Error(`${name} is damaged: its SHA-256 is ${hash}, not ${listed["sha256"]}`);
  return bytes;
}

async function present(path: string, name: string): Promise<Uint8Array> {
  const bytes = await readFile(`${path}/${name}`);
  if (bytes === undefined) throw new Error(`there is no ${name}`);
  return bytes;
}

/** The numbers of the checkpoints among some names, newest first. */
function numbersIn(entries: readonly string[]): number[] {
  return entries.flatMap((name) => pattern.exec(name)?.slice(1).map(Number) ?? []).sort((a, b) => b - a);
}

function nameOf(number: number): string {
  return `checkpoint-${String(number).padStart(6, "0")}`;
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
}

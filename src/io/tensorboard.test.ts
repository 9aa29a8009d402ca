import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { inflateSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ArgumentError, ShapeError } from "../backend/errors.ts";
import { CRC32, CRC32C, crc } from "./crc32.ts";
import { EventFile } from "./tensorboard.ts";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "events-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("checksums of the known vectors", () => {
  const digits = new TextEncoder().encode("123456789");
  expect(crc(CRC32C, digits)).toBe(0xe3069283);
  expect(crc(CRC32, digits)).toBe(0xcbf43926);
  expect(crc(CRC32C, new Uint8Array(32))).toBe(0x8a9136aa); // RFC 3720, B.4
});

test("writes a version record and scalars that read back", async () => {
  const events = await EventFile.open(`${folder}/a/b`);
  events.scalar("loss/train", 0.1, 0, 1700000000.5);
  events.scalar("größe", -2.5, 2 ** 40, 1700000001);
  events.scalar("bad", Number.NaN, 3);
  await events.close();
  await events.close();
  const [name] = await readdir(`${folder}/a/b`);
  expect(name).toMatch(/^events\.out\.tfevents\.\d{10}\./);
  expect(name.endsWith(hostname())).toBe(true);
  const [version, first, second, third] = await readEvents(events.path);
  expect(text(version.get(3))).toBe("brain.Event:2");
  expect(double(first.get(1))).toBe(1700000000.5);
  expect(first.get(2)).toEqual([0]);
  expect(second.get(2)).toEqual([2 ** 40]);
  expect(text(value(second).get(1))).toBe("größe");
  expect(float(value(first).get(2))).toBe(Math.fround(0.1));
  expect(float(value(third).get(2))).toBeNaN();
});

test("histograms count every finite value between their extremes", async () => {
  const events = await EventFile.open(`${folder}/histograms`);
  const values = Float32Array.from({ length: 1000 }, (_, i) => i - 500);
  events.histogram("w", [...values, Number.NaN, Number.POSITIVE_INFINITY], 1);
  events.histogram("same", [7, 7, 7], 1);
  events.histogram("none", [], 1);
  await events.close();
  const [, w, same, none] = (await readEvents(events.path)).map((event) => event.get(5) && histogram(event));
  expect(w).toMatchObject({ min: -500, max: 499, num: 1000, sum: -500, squares: 83_333_500 });
  expect(w?.limits).toHaveLength(64);
  expect(w?.limits.at(-1)).toBe(499);
  expect(w?.limits.every((limit, i, all) => i === 0 || all[i - 1] < limit)).toBe(true);
  expect(w?.counts.reduce((sum, count) => sum + count)).toBe(1000);
  expect(same).toMatchObject({ min: 7, max: 7, num: 3, limits: [7], counts: [3] });
  expect(none).toMatchObject({ num: 0, counts: [0] });
});

test("images are PNG files of the given pixels", async () => {
  const events = await EventFile.open(`${folder}/images`);
  const pixels = Uint8Array.from({ length: 200 * 300 * 3 }, (_, i) => (i * 7) % 256);
  events.image("x", pixels, [200, 300, 3], 5);
  expect(() => events.image("x", pixels, [200, 300, 1], 5)).toThrow(ShapeError);
  expect(() => events.image("x", new Uint8Array(0), [0, 0, 3], 5)).toThrow(ShapeError);
  await events.close();
  const [, event] = await readEvents(events.path);
  const image = fields(bytes(value(event).get(4)));
  expect([image.get(1), image.get(2), image.get(3)]).toEqual([[200], [300], [3]]);
  expect(decodePng(bytes(image.get(4)))).toEqual({ width: 300, height: 200, pixels });
});

test("refuses bad steps and tags, and records after closing", async () => {
  const events = await EventFile.open(`${folder}/bad`);
  expect(() => events.scalar("x", 1, -1)).toThrow(ArgumentError);
  expect(() => events.scalar("x", 1, 0.5)).toThrow(ArgumentError);
  expect(() => events.scalar("", 1, 0)).toThrow(ArgumentError);
  await events.close();
  expect(() => events.scalar("x", 1, 0)).toThrow(/is closed/);
  expect(await readEvents(events.path)).toHaveLength(1);
});

test("two files opened in the same second do not share a name", async () => {
  const files = await Promise.all([1, 2, 3].map(() => EventFile.open(`${folder}/many`)));
  expect(new Set(files.map(({ path }) => path)).size).toBe(3);
  await Promise.all(files.map((file) => file.close()));
});

test("writes by itself when much is pending, in order", async () => {
  const events = await EventFile.open(`${folder}/long`);
  for (let step = 0; step < 5000; step++) events.scalar("loss", step, step);
  await events.flush();
  const read = await readEvents(events.path);
  expect(read.slice(1).every((event, step) => event.get(2)?.[0] === step)).toBe(true);
  expect(read).toHaveLength(5001);
  await events.close();
});

test("a folder that cannot be made is an error on opening", async () => {
  await writeFile(`${folder}/file`, "");
  await expect(EventFile.open(`${folder}/file`)).rejects.toThrow();
});

test.skipIf(process.platform === "win32")("a full disk is an error of flush and of close", () => {
  const source = JSON.stringify(new URL("./tensorboard.ts", import.meta.url).href);
  const script = `
    const { EventFile } = await import(${source});
    const events = await EventFile.open(${JSON.stringify(`${folder}/full`)});
    for (let i = 0; i < 20000; i++) events.scalar("a", i, i);
    for (const attempt of ["flush", "close"]) await events[attempt]().catch((error) => console.log(error.name));`;
  const node = [process.execPath, "--conditions=@kindling/source", "--import", "tsx", "--input-type=module", "--eval"];
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const limited = ["-c", 'ulimit -f 100; exec "$@"', "sh", ...node, script];
  const { stdout } = spawnSync("sh", limited, { cwd: root, encoding: "utf8", timeout: 20_000 });
  expect(stdout).toBe("DataError\nDataError\n");
});

type Message = Map<number, (number | Uint8Array)[]>;

/** Reads the records, checking lengths and both checksums by the format's own description. */
async function readEvents(path: string): Promise<Message[]> {
  const file = await readFile(path);
  const events: Message[] = [];
  let at = 0;
  while (at < file.length) {
    const length = Number(file.readBigUInt64LE(at));
    expect(file.readUInt32LE(at + 8)).toBe(masked(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(data).toHaveLength(length);
    expect(file.readUInt32LE(at + 12 + length)).toBe(masked(data));
    events.push(fields(data));
    at += 16 + length;
  }
  return events;
}

/** TensorFlow's masking: rotate right by 15 bits, add 0xa282ead8. */
function masked(data: Uint8Array): number {
  const c = BigInt(crc(CRC32C, data));
  const rotated = ((c >> 15n) | (c << 17n)) & 0xffffffffn;
  return Number((rotated + 0xa282ead8n) & 0xffffffffn);
}

function fields(data: Uint8Array): Message {
  const result: Message = new Map();
  let at = 0;
  const varint = (): number => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = data[at++];
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(value);
    }
  };
  const take = (size: number): Uint8Array => {
    at += size;
    return data.subarray(at - size, at);
  };
  while (at < data.length) {
    const key = varint();
    const field = Math.floor(key / 8);
    const content = { 0: varint, 1: () => take(8), 2: () => take(varint()), 5: () => take(4) }[key % 8];
    if (!content) throw new Error(`wire type ${key % 8}`);
    result.set(field, [...(result.get(field) ?? []), content()]);
  }
  return result;
}

function bytes(content: Message extends Map<number, infer V> ? V | undefined : never): Uint8Array {
  const first = content?.[0];
  if (!(first instanceof Uint8Array)) throw new Error("no bytes");
  return first;
}

function view(data: Uint8Array): DataView {
  return new DataView(data.buffer, data.byteOffset, data.byteLength);
}

const text = (content: Parameters<typeof bytes>[0]): string => new TextDecoder().decode(bytes(content));
const double = (content: Parameters<typeof bytes>[0]): number => view(bytes(content)).getFloat64(0, true);
const float = (content: Parameters<typeof bytes>[0]): number => view(bytes(content)).getFloat32(0, true);

function doubles(content: Parameters<typeof bytes>[0]): number[] {
  const data = view(bytes(content));
  return Array.from({ length: data.byteLength / 8 }, (_, i) => data.getFloat64(8 * i, true));
}

function value(event: Message): Message {
  return fields(bytes(fields(bytes(event.get(5))).get(1)));
}

function histogram(event: Message) {
  const h = fields(bytes(value(event).get(5)));
  const [min, max, num, sum, squares] = [1, 2, 3, 4, 5].map((field) => double(h.get(field)));
  return { min, max, num, sum, squares, limits: doubles(h.get(6)), counts: doubles(h.get(7)) };
}

/** Decodes an RGB PNG of unfiltered rows, checking every chunk. */
function decodePng(png: Uint8Array): { width: number; height: number; pixels: Uint8Array } {
  const data = view(png);
  let compressed = new Uint8Array(0);
  for (let at = 8; at < png.length; ) {
    const length = data.getUint32(at);
    expect(data.getUint32(at + 8 + length)).toBe(crc(CRC32, png.subarray(at + 4, at + 8 + length)));
    if (new TextDecoder().decode(png.subarray(at + 4, at + 8)) === "IDAT")
      compressed = png.slice(at + 8, at + 8 + length);
    at += 12 + length;
  }
  const [width, height] = [data.getUint32(16), data.getUint32(20)];
  const rows = inflateSync(compressed);
  const pixels = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const start = y * (width * 3 + 1);
    expect(rows[start]).toBe(0);
    pixels.set(rows.subarray(start + 1, start + 1 + width * 3), y * width * 3);
  }
  return { width, height, pixels };
}

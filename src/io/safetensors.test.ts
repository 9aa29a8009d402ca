import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DataError } from "../backend/errors.ts";
import { arange, Generator, ones, randn, tensor, zeros } from "../tensor/index.ts";
import { loadSafetensors, parseSafetensors, saveSafetensors, serializeSafetensors } from "./safetensors.ts";

/** A file by hand: any header, any data. */
function file(header: unknown, data: ArrayLike<number> = []): Uint8Array {
  const text = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Uint8Array.from(data)]);
}

const entry = (dtype: string, shape: unknown, begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

/** Numbers as bytes; `write` is one of Buffer's. */
function littleEndian<T>(values: readonly T[], size: number, write: (b: Buffer, value: T, at: number) => void): Buffer {
  const buffer = Buffer.alloc(size * values.length);
  for (const [i, value] of values.entries()) write(buffer, value, i * size);
  return buffer;
}

describe("serializeSafetensors", () => {
  it("writes what an independent reader reads", () => {
    const tensors = {
      flag: tensor([true, false, true]),
      "layers.0.weight": arange(6).to("float32").reshape([2, 3]).t(),
      "größe 🔥": tensor([1, -2], { dtype: "int32" }),
      __proto__x: tensor(2.5),
      empty: zeros([0, 4]),
      half: tensor([1, -0.5], { dtype: "float16" }),
      brain: tensor([3], { dtype: "bfloat16" }),
      double: tensor([0.1], { dtype: "float64", device: "js" }),
      byte: tensor(Uint8Array.of(255)),
      0: ones([1]),
    };
    const bytes = Buffer.from(serializeSafetensors(tensors, { format: "pt", note: 'a"b\n🙂' }));
    const length = Number(bytes.readBigUInt64LE());
    expect(length % 8).toBe(0);
    const header: unknown = JSON.parse(bytes.toString("utf8", 8, 8 + length));
    const data = bytes.subarray(8 + length);
    expect(header).toMatchObject({
      __metadata__: { format: "pt", note: 'a"b\n🙂' },
      flag: { dtype: "BOOL", shape: [3] },
      "layers.0.weight": { dtype: "F32", shape: [3, 2] },
      "größe 🔥": { dtype: "I32", shape: [2] },
      __proto__x: { dtype: "F32", shape: [] },
      empty: { dtype: "F32", shape: [0, 4] },
      half: { dtype: "F16", shape: [2] },
      brain: { dtype: "BF16", shape: [1] },
      double: { dtype: "F64", shape: [1] },
      byte: { dtype: "U8", shape: [1] },
      0: { dtype: "F32", shape: [1] },
    });
    const at = (name: string): number => {
      const match = JSON.stringify(header)
        .split(`${JSON.stringify(name)}:`)[1]
        .match(/"data_offsets":\[(\d+)/);
      return Number(match?.[1]);
    };
    expect([0, 4, 8, 12, 16, 20].map((i) => data.readFloatLE(at("layers.0.weight") + i))).toEqual([0, 3, 1, 4, 2, 5]);
    expect(data.readInt32LE(at("größe 🔥") + 4)).toBe(-2);
    expect(data.readFloatLE(at("__proto__x"))).toBe(2.5);
    expect(data.readUInt16LE(at("half") + 2)).toBe(0xb800);
    expect(data.readUInt16LE(at("brain"))).toBe(0x4040);
    expect(data.readDoubleLE(at("double"))).toBe(0.1);
    expect([...data.subarray(at("flag"), at("flag") + 3), data[at("byte")]]).toEqual([1, 0, 1, 255]);
    expect(data.length).toBe(3 + 24 + 8 + 4 + 0 + 4 + 2 + 8 + 1 + 4);

    const { tensors: read, metadata } = parseSafetensors(bytes);
    expect([...read.keys()]).toEqual(Object.keys(tensors));
    expect(metadata).toEqual({ format: "pt", note: 'a"b\n🙂' });
    for (const [name, x] of Object.entries(tensors)) {
      expect(read.get(name)?.shape).toEqual(x.shape);
      expect(read.get(name)?.dtype).toBe(name === "double" ? "float32" : x.dtype);
      expect(read.get(name)?.toArray()).toEqual(name === "double" ? [Math.fround(0.1)] : x.toArray());
    }
    expect(parseSafetensors(bytes, { keepFloat64: true, device: "js" }).tensors.get("double")?.toArray()).toEqual([
      0.1,
    ]);
  });

  it("writes the bytes of the format's own example, and the same bytes again after reading", () => {
    const bytes = serializeSafetensors(new Map([["test", zeros([2, 2])]]));
    const header = '{"test":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}    ';
    expect(Buffer.from(bytes)).toEqual(
      Buffer.concat([Buffer.from([header.length, 0, 0, 0, 0, 0, 0, 0]), Buffer.from(header), Buffer.alloc(16)]),
    );
    expect(serializeSafetensors(parseSafetensors(bytes).tensors)).toEqual(bytes);
    const none = parseSafetensors(serializeSafetensors({}));
    expect([none.tensors.size, Object.keys(none.metadata)]).toEqual([0, []]);
  });

  it("refuses names and metadata the format cannot hold", () => {
    const x = tensor(1);
    expect(() => serializeSafetensors({ __metadata__: x })).toThrow(
      "the format keeps the name __metadata__ for itself",
    );
    expect(() => serializeSafetensors({ "a\ud800": x })).toThrow("is not valid Unicode text");
    const wrong: Record<string, string> = JSON.parse('{"epoch":3}');
    expect(() => serializeSafetensors({ x }, wrong)).toThrow('metadata are strings, got number for "epoch"');
  });
});

describe("parseSafetensors", () => {
  it("converts the dtypes that have no memory of their own here", () => {
    const cases: [string, Buffer, string, unknown[]][] = [
      ["I64", littleEndian([-5n, 2147483647n], 8, (b, v, at) => b.writeBigInt64LE(v, at)), "int32", [-5, 2147483647]],
      ["U64", littleEndian([5n], 8, (b, v, at) => b.writeBigUInt64LE(v, at)), "int32", [5]],
      ["U32", littleEndian([5], 4, (b, v, at) => b.writeUInt32LE(v, at)), "int32", [5]],
      ["I16", littleEndian([-5], 2, (b, v, at) => b.writeInt16LE(v, at)), "int32", [-5]],
      ["U16", littleEndian([65535], 2, (b, v, at) => b.writeUInt16LE(v, at)), "int32", [65535]],
      ["I8", littleEndian([-5], 1, (b, v, at) => b.writeInt8(v, at)), "int32", [-5]],
      ["F64", littleEndian([0.5], 8, (b, v, at) => b.writeDoubleLE(v, at)), "float32", [0.5]],
      // Micikevicius et al., table 1: the largest, the smallest normal, the smallest subnormal, one
      ["F8_E4M3", Buffer.from([0x7e, 0x08, 0x01, 0xb8, 0x7f]), "float32", [448, 2 ** -6, 2 ** -9, -1, Number.NaN]],
      ["F8_E5M2", Buffer.from([0x7b, 0x04, 0x01, 0xbc, 0xfc]), "float32", [57344, 2 ** -14, 2 ** -16, -1, -Infinity]],
    ];
    for (const [dtype, data, into, values] of cases) {
      const bytes = file({ x: entry(dtype, [values.length], 0, data.length) }, data);
      const x = parseSafetensors(bytes).tensors.get("x");
      expect([dtype, x?.dtype, x?.toArray()]).toEqual([dtype, into, values]);
    }
    const big = file(
      { x: entry("I64", [1], 0, 8) },
      littleEndian([2n ** 31n], 8, (b, v, at) => b.writeBigInt64LE(v, at)),
    );
    expect(() => parseSafetensors(big)).toThrow('tensor "x" (I64) holds 2147483648, which does not fit int32.');
    expect(() => parseSafetensors(file({ x: entry("BOOL", [1], 0, 1) }, [2]))).toThrow(
      "holds the byte 2; bools are 0 or 1",
    );
    expect(() => parseSafetensors(file({ x: entry("C64", [1], 0, 8) }, new Uint8Array(8)))).toThrow(
      "has no counterpart here",
    );
  });

  it("reads data that lie unaligned", () => {
    const data = littleEndian([1.5, 2.5], 4, (b, v, at) => b.writeFloatLE(v, at));
    for (let shift = 0; shift < 8; shift++) {
      const bytes = file(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}${" ".repeat(shift)}`, data);
      const shifted = Buffer.concat([Buffer.alloc(3), bytes]).subarray(3);
      expect(parseSafetensors(shifted).tensors.get("x")?.toArray()).toEqual([1.5, 2.5]);
    }
  });

  it("has no names with a meaning of their own", () => {
    const text =
      '{"__metadata__":{"__proto__":"a"},"__proto__":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"constructor":{"shape":[],"dtype":"U8","data_offsets":[1,2],"extra":null}}';
    const { tensors, metadata } = parseSafetensors(file(text, [7, 8]));
    expect([tensors.get("__proto__")?.toArray(), tensors.get("constructor")?.toArray()]).toEqual([[7], 8]);
    expect(Object.keys(metadata)).toEqual(["__proto__"]);
    expect(metadata.toString).toBeUndefined();
  });

  it("says what is wrong", () => {
    const u8 = (begin: number, end: number) => entry("U8", [end - begin], begin, end);
    const cases: [Uint8Array, string][] = [
      [new Uint8Array(7), "begins with a length of 8 bytes, got 7"],
      [Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0x80), "at most 100000000 bytes, this one claims 9223372036854775809"],
      [Uint8Array.of(0, 0, 0, 5, 0, 0, 0, 0), "the header claims 83886080 bytes, the file has 0 after its length"],
      [file(""), 'does not begin with "{"'],
      [file(" {}"), 'does not begin with "{"'],
      [file("[]"), 'does not begin with "{"'],
      [Buffer.concat([Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0), Buffer.from('{"'), Uint8Array.of(0xff, 0x22)]), "UTF-8"],
      [file('{"a":'), "expected a value at character 5 of the header, got the end"],
      [file("{} x"), 'text goes on after the value at character 3 of the header, got "x"'],
      [file(`{"a":${"[".repeat(1_000_000)}`), "values nest deeper than 32"],
      [file(`{"a":${'{"a":'.repeat(1_000_000)}`), "values nest deeper than 32"],
      [file('{"a":1,"\\u0061":2}'), 'the name "a" comes twice at character 7'],
      [file('{"a\\x":1}'), "unknown escape"],
      [file('{"a\n":1}'), "control character"],
      [file('{"a'), "a string has no end"],
      [file('{"a":1,}'), "expected a name in double quotes"],
      [file('{"a" 1}'), 'expected ":"'],
      [file('{"a":nul}'), "expected a value"],
      [file('{"a":01}'), 'expected ","'],
      [file({ x: 3 }), 'tensor "x" is described by 3, not an object'],
      [file({ x: { ...u8(0, 1), dtype: "F99" } }, [0]), 'tensor "x" has the unknown dtype "F99"'],
      [file({ x: { ...u8(0, 1), dtype: "toString" } }, [0]), 'unknown dtype "toString"'],
      [file({ x: { shape: [1], data_offsets: [0, 1] } }, [0]), "unknown dtype nothing"],
      [file({ x: entry("U8", [1.5], 0, 1) }, [0]), "the shape must be whole numbers from 0, got 1.5"],
      [file({ x: entry("U8", [-1], 0, 1) }, [0]), "the shape must be whole numbers from 0, got -1"],
      [file({ x: entry("U8", 1, 0, 1) }, [0]), "the shape must be a list, got 1"],
      [file('{"x":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,1]}}', [0]), "whole numbers from 0"],
      [file({ x: entry("U8", [2 ** 32, 2 ** 32], 0, 0) }), "the shape [4294967296,4294967296] has too many elements"],
      [file({ x: entry("F4", [3], 0, 1) }, [0]), "3 elements of 4 bits do not fill whole bytes"],
      [file({ x: { dtype: "U8", shape: [1], data_offsets: [0] } }, [0]), "data_offsets must be 2 numbers, got [0]"],
      [file({ x: entry("F32", [2], 0, 4) }, new Uint8Array(4)), "F32 [2] takes 8 bytes, data_offsets [0, 4] hold 4"],
      [file({ x: entry("U8", [1], 1, 0) }, [0]), "data_offsets [1, 0] hold -1"],
      [file({ x: u8(0, 2), y: u8(1, 3) }, [0, 0, 0]), 'tensors "x" and "y" overlap: one ends at 2, one begins at 1'],
      [file({ x: u8(0, 2), y: u8(1, 1) }, [0, 0]), "overlap"],
      [file({ x: u8(0, 1), y: u8(2, 3) }, [0, 0, 0]), 'bytes 1 to 2 before tensor "y" belong to no tensor'],
      [file({ x: u8(0, 2) }, [0]), "the file is truncated: the tensors take 2 bytes, the file has 1 after its header"],
      [file({ x: u8(0, 2) }, [0, 0, 0]), "bytes of no tensor: the tensors take 2 bytes, the file has 3"],
      [file({ __metadata__: { a: 1 } }), '__metadata__ must map to strings, got 1 for "a"'],
      [file({ __metadata__: [] }), "__metadata__ is no object"],
    ];
    for (const [bytes, message] of cases) {
      expect(() => parseSafetensors(bytes)).toThrow(message);
      expect(() => parseSafetensors(bytes)).toThrow(DataError);
    }
  });

  const sample = serializeSafetensors(
    { a: randn([2, 3]), "b.ü": tensor([1, 2], { dtype: "int32" }), c: tensor([true]), d: zeros([0]), e: tensor(1) },
    { format: "pt" },
  );

  it("refuses every truncation", () => {
    for (let length = 0; length < sample.length; length++) {
      expect(() => parseSafetensors(sample.subarray(0, length))).toThrow(DataError);
    }
    expect(() => parseSafetensors(Uint8Array.of(...sample, 0))).toThrow("bytes of no tensor");
  });

  it("survives 1,000 random corruptions", () => {
    const generator = new Generator(2);
    const draw = (n: number) => Math.floor(generator.next() * n);
    let errors = 0;
    for (let round = 0; round < 1000; round++) {
      const bytes = sample.slice();
      for (let k = draw(3); k >= 0; k--) {
        const at = draw(bytes.length);
        const kind = draw(4);
        if (kind < 2) bytes[at] = draw(256);
        else if (kind === 2) bytes[at] = 48 + draw(10);
        else bytes.copyWithin(at, draw(bytes.length), at + draw(40));
      }
      try {
        let total = 0;
        for (const x of parseSafetensors(bytes).tensors.values()) {
          expect(x.toTypedArray()).toHaveLength(x.shape.reduce((product, size) => product * size, 1));
          total += x.numel();
        }
        expect(total).toBeLessThan(100);
      } catch (error) {
        expect(error).toBeInstanceOf(DataError);
        errors++;
      }
    }
    expect(errors).toBeGreaterThan(500);
    expect(errors).toBeLessThan(1000);
  });
});

describe("saveSafetensors and loadSafetensors", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "kindling-safetensors-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("makes the round trip bit for bit, over an older file, leaving nothing else", async () => {
    const path = join(folder, "new", "model.safetensors");
    const weight = randn([17, 3]);
    await saveSafetensors(path, { weight: zeros([1]) });
    await saveSafetensors(path, new Map([["weight", weight]]), { epoch: "3" });
    const { tensors, metadata } = await loadSafetensors(path);
    expect(tensors.get("weight")?.toTypedArray()).toEqual(weight.toTypedArray());
    expect(metadata.epoch).toBe("3");
    expect(await readdir(join(folder, "new"))).toEqual(["model.safetensors"]);
  });

  it("keeps the old file and tells the cause when writing fails", async () => {
    const path = join(folder, "kept");
    await mkdir(path); // a folder cannot be replaced by a file
    await writeFile(join(path, "inside"), "x");
    const error: unknown = await saveSafetensors(path, { x: tensor(1) }).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(DataError);
    expect(String(error)).toContain(`could not write "${path}"`);
    expect(error).toHaveProperty("cause.code");
    expect(await readFile(join(path, "inside"), "utf8")).toBe("x");
    expect((await readdir(folder)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("names the file in errors of reading", async () => {
    const path = join(folder, "damaged.safetensors");
    await expect(loadSafetensors(path)).rejects.toThrow(`loadSafetensors: there is no file "${path}".`);
    await writeFile(path, "hello world");
    await expect(loadSafetensors(path)).rejects.toThrow(`"${path}": parseSafetensors: a header has at most`);
    await expect(loadSafetensors(path)).rejects.toBeInstanceOf(DataError);
    await expect(loadSafetensors(folder)).rejects.toThrow(`could not read "${folder}"`);
  });
});

import { describe, expect, it } from "vitest";
import { DataError } from "../../backend/errors.ts";
import { Generator } from "../../tensor/index.ts";
import { type IdxArray, readIdx } from "./idx.ts";

const small = Uint8Array.of(0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6);

/** An independent writer, big-endian by hand. */
function writeIdx(code: number, bytes: number, shape: readonly number[], elements: readonly Buffer[]): Uint8Array {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.writeUInt8(code, 2);
  header.writeUInt8(shape.length, 3);
  for (const [i, size] of shape.entries()) header.writeUInt32BE(size, 4 + 4 * i);
  expect(elements.every((element) => element.length === bytes)).toBe(true);
  return Buffer.concat([header, ...elements]);
}

function bigEndian(size: number, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(size);
  write(buffer);
  return buffer;
}

function checkConsistent({ shape, values, dtype }: IdxArray): void {
  expect(shape.reduce((product, size) => product * size, 1)).toBe(values.length);
  const types = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array, float64: Float64Array };
  expect(values).toBeInstanceOf(types[dtype]);
}

describe("readIdx", () => {
  it("reads bytes without copying them", () => {
    const { shape, dtype, values } = readIdx(small);
    expect([shape, dtype, [...values]]).toEqual([[2, 3], "uint8", [1, 2, 3, 4, 5, 6]]);
    expect(values.buffer).toBe(small.buffer);
  });

  it("reads every element type, aligned or not", () => {
    const files: [Uint8Array, Omit<IdxArray, "values">, number[]][] = [
      [
        writeIdx(9, 1, [2], [bigEndian(1, (b) => b.writeInt8(-128)), bigEndian(1, (b) => b.writeInt8(127))]),
        { shape: [2], dtype: "int32" },
        [-128, 127],
      ],
      [writeIdx(11, 2, [1, 1], [bigEndian(2, (b) => b.writeInt16BE(-300))]), { shape: [1, 1], dtype: "int32" }, [-300]],
      [writeIdx(12, 4, [1], [bigEndian(4, (b) => b.writeInt32BE(-70000))]), { shape: [1], dtype: "int32" }, [-70000]],
      [writeIdx(13, 4, [1], [bigEndian(4, (b) => b.writeFloatBE(0.5))]), { shape: [1], dtype: "float32" }, [0.5]],
      [writeIdx(14, 8, [1], [bigEndian(8, (b) => b.writeDoubleBE(0.1))]), { shape: [1], dtype: "float64" }, [0.1]],
      [writeIdx(8, 1, [], [Buffer.of(7)]), { shape: [], dtype: "uint8" }, [7]],
      [writeIdx(8, 1, [2 ** 32 - 1, 0, 2 ** 32 - 1], []), { shape: [2 ** 32 - 1, 0, 2 ** 32 - 1], dtype: "uint8" }, []],
    ];
    for (const [file, { shape, dtype }, values] of files) {
      const shifted = new Uint8Array(file.length + 1);
      shifted.set(file, 1);
      for (const bytes of [file, shifted.subarray(1)]) {
        const read = readIdx(bytes);
        expect([read.shape, read.dtype, [...read.values]]).toEqual([shape, dtype, values]);
      }
    }
  });

  it("refuses every truncation and bytes too many, with both numbers", () => {
    for (let length = 0; length < small.length; length++) {
      expect(() => readIdx(small.subarray(0, length))).toThrow(DataError);
      expect(() => readIdx(small.subarray(0, length))).toThrow(`got ${length}.`);
    }
    const long = Uint8Array.of(...small, 0);
    expect(() => readIdx(long)).toThrow(
      "readIdx: the file is followed by other bytes: uint8 [2,3] makes 18 bytes, got 19.",
    );
    expect(() => readIdx(small.subarray(0, 17))).toThrow("the file is truncated: uint8 [2,3] makes 18 bytes, got 17.");
  });

  it("refuses other files by name", () => {
    const changed = (at: number, value: number) => small.map((byte, i) => (i === at ? value : byte));
    expect(() => readIdx(changed(0, 1))).toThrow("begins with bytes 0 0, got 1 0");
    expect(() => readIdx(Uint8Array.of(0x1f, 0x8b, 8, 0))).toThrow("It is a gzip file");
    expect(() => readIdx(changed(2, 10))).toThrow("unknown element type 10. Known: 8 (uint8), 9 (int8)");
    expect(() => readIdx(changed(3, 255))).toThrow("255 axes make a header of 1024 bytes, got 18");
    const huge = Uint8Array.of(0, 0, 14, 40, ...new Array<number>(160).fill(255));
    expect(() => readIdx(huge)).toThrow("makes Infinity bytes, got 164");
  });

  it("survives 1,000 random corruptions", () => {
    const generator = new Generator(1);
    const draw = (n: number) => Math.floor(generator.next() * n);
    let errors = 0;
    for (let round = 0; round < 1000; round++) {
      const bytes = small.slice(0, draw(4) === 0 ? draw(small.length + 1) : small.length);
      for (let k = draw(3); k >= 0 && bytes.length > 0; k--) bytes[draw(draw(2) ? 4 : bytes.length)] = draw(256);
      try {
        checkConsistent(readIdx(bytes));
      } catch (error) {
        expect(error).toBeInstanceOf(DataError);
        errors++;
      }
    }
    expect(errors).toBeGreaterThan(500);
    expect(errors).toBeLessThan(1000);
  });
});

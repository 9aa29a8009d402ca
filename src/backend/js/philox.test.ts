import { describe, expect, test } from "vitest";
import { logUniform, normalPair } from "./normal.ts";
import { type PhiloxCounter, type PhiloxKey, philox4x32, randomWords } from "./philox.ts";

describe("philox4x32", () => {
  const ones = 0xffffffff;
  const vectors: [PhiloxCounter, PhiloxKey, string][] = [
    [[0, 0, 0, 0], [0, 0], "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
    [[ones, ones, ones, ones], [ones, ones], "408f276d 41c83b0e a20bc7c6 6d5451fd"],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe09 94fdcceb 5001e420 24126ea1"],
  ];

  test.each(vectors)("known answer for %j, %j", (counter, key, expected) => {
    const out = new Uint32Array(4);
    philox4x32(counter, key, out);
    expect([...out].map((word) => word.toString(16).padStart(8, "0")).join(" ")).toBe(expected);
  });

  test("seeds and blocks beyond 32 bits spill into the second words", () => {
    const words = randomWords({ seed: 2 ** 33 + 5, stream: 9, counter: 2 ** 32 - 1 }, 6);
    const [first, second] = [new Uint32Array(4), new Uint32Array(4)];
    philox4x32([0xffffffff, 0, 9, 0], [5, 2], first);
    philox4x32([0, 1, 9, 0], [5, 2], second);
    expect([...words]).toEqual([...first, second[0], second[1]]);
  });
});

describe("normal draws", () => {
  test("the logarithm agrees with the library's", () => {
    for (const word of [0, 1, 2, 3, 0x7fffffff, 0x80000000, 0xb504f333, 0xb504f334, 0xfffffffe, 0xffffffff]) {
      const expected = Math.log((word + 1) / 2 ** 32);
      expect(Math.abs(logUniform(word) - expected)).toBeLessThanOrEqual(1e-15 * Math.abs(expected));
    }
  });

  test("pairs agree with the formula to 1e-14", () => {
    const words = randomWords({ seed: 1, stream: 0, counter: 0 }, 4000);
    const pair = new Float64Array(2);
    for (let i = 0; i < words.length; i += 2) {
      normalPair(words[i], words[i + 1], pair, 0);
      const radius = Math.sqrt(-2 * Math.log((words[i] + 1) / 2 ** 32));
      const angle = (2 * Math.PI * words[i + 1]) / 2 ** 32;
      expect(Math.abs(pair[0] - radius * Math.cos(angle))).toBeLessThan(1e-14);
      expect(Math.abs(pair[1] - radius * Math.sin(angle))).toBeLessThan(1e-14);
    }
  });
});

import fc from "fast-check";
import { expect, test } from "vitest";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "./half.ts";

const formats = [
  ["float16", toFloat16, fromFloat16, 65504, 65520],
  ["bfloat16", toBfloat16, fromBfloat16, 3.3895313892515355e38, 3.3961775292304e38],
] as const;

test.each(formats)("%s: every bit pattern goes there and back", (_, to, from) => {
  for (let bits = 0; bits < 65536; bits++) {
    const value = from(bits);
    if (Number.isNaN(value)) expect(from(to(value))).toBeNaN();
    else if (to(value) !== bits) expect([bits, to(value)]).toEqual([bits, bits]);
  }
});

test.each(formats)("%s: numbers go to the nearest, halves to even", (_, to, from, largest) => {
  const values = fc.float({ min: Math.fround(-largest), max: Math.fround(largest), noNaN: true });
  fc.assert(
    fc.property(
      fc.oneof(
        values,
        values.map((v) => Math.fround(v * 2 ** -20)),
        fc.float({ min: -8, max: 8, noNaN: true }),
      ),
      (value) => {
        const bits = to(value);
        const error = Math.abs(from(bits) - value);
        for (const neighbour of [bits - 1, bits + 1]) {
          const distance = Math.abs(from(neighbour) - value);
          if (neighbour < 0 || Number.isNaN(distance)) continue;
          expect(error < distance || (error === distance && bits % 2 === 0) || from(bits) === from(neighbour)).toBe(
            true,
          );
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test.each(formats)("%s: ties, overflow and NaN", (_, to, from, largest, tooLarge) => {
  expect(from(to(largest))).toBe(largest);
  expect(from(to(tooLarge))).toBe(Infinity);
  expect(from(to(-Infinity))).toBe(-Infinity);
  expect(from(to(Number.NaN))).toBeNaN();
  expect(Object.is(from(to(-0)), -0)).toBe(true);
});

test("halfway cases", () => {
  expect(fromFloat16(toFloat16(2049))).toBe(2048);
  expect(fromFloat16(toFloat16(2051))).toBe(2052);
  expect(fromFloat16(toFloat16(2 ** -25))).toBe(0);
  expect(fromFloat16(toFloat16(3 * 2 ** -25))).toBe(2 ** -23);
  expect(fromBfloat16(toBfloat16(257))).toBe(256);
  expect(fromBfloat16(toBfloat16(259))).toBe(260);
});

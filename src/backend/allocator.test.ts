import fc from "fast-check";
import { expect, test } from "vitest";
import { Allocator, Block, sizeClass } from "./allocator.ts";

test("size classes hold what was asked for, waste at most a fifth, and are their own class", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 32 }), (bytes) => {
      const size = sizeClass(bytes);
      expect(size).toBeGreaterThanOrEqual(bytes);
      expect(size % 16).toBe(0);
      expect(sizeClass(size)).toBe(size);
      if (bytes > 64) expect(size).toBeLessThanOrEqual(bytes * 1.25);
    }),
  );
});

test("released memory is used again", () => {
  const allocator = new Allocator();
  const block = allocator.allocate(1000);
  expect(block.byteLength).toBe(1024);
  allocator.release(block);
  expect(allocator.memory().cached).toBe(1024);
  expect(allocator.allocate(900)).toBe(block);
  expect(allocator.memory().cached).toBe(0);
});

test("releasing twice does not hand memory out twice", () => {
  const allocator = new Allocator();
  const block = allocator.allocate(100);
  allocator.release(block);
  allocator.release(block);
  expect(allocator.memory().cached).toBe(112);
  expect(allocator.allocate(100)).not.toBe(allocator.allocate(100));
});

test("no more than the cap is kept, and foreign buffers are not", () => {
  const allocator = new Allocator({ maxCachedBytes: 2048 });
  const blocks = [1, 2, 3].map(() => allocator.allocate(1024));
  for (const block of blocks) allocator.release(block);
  allocator.release(new Block(new ArrayBuffer(100)));
  expect(allocator.memory().cached).toBe(2048);
});

test("memory counts what is held, and remembers the peak", () => {
  const allocator = new Allocator();
  const before = allocator.memory().live;
  const size = 32 * 1024 * 1024;
  let block = allocator.allocate(size);
  expect(allocator.memory().live - before).toBeGreaterThanOrEqual(size);
  allocator.release(block);
  expect(allocator.memory().live - before).toBeLessThan(size);
  expect(allocator.memory().peak - before).toBeGreaterThanOrEqual(size);
  block = allocator.allocate(size);
  expect(allocator.memory().live - before).toBeGreaterThanOrEqual(size);
  expect(block.byteLength).toBe(size);
});

test("blocks begin at the start of a cache line where the address is known", () => {
  const allocator = new Allocator({ addressOf: () => 1000 });
  const block = allocator.allocate(100);
  expect(block.address).toBe(1024);
  expect(block.elements("float32").byteOffset).toBe(24);
  expect(block.elements("float32").byteLength).toBe(112);
  expect(() => block.bytes(100, 13)).toThrow(RangeError);
  allocator.release(block);
  expect(allocator.allocate(112)).toBe(block);
});

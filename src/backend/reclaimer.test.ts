/// <reference types="node" />
import { once } from "node:events";
import process from "node:process";
import { runInNewContext } from "node:vm";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scavenger } from "#platform";
import { missing, native } from "../../test/native/oracle.ts";
import { Allocator } from "./allocator.ts";
import { loadNativeAddon } from "./native/load.ts";
import { type DeathWatch, WATCHED_BYTES } from "./reclaimer.ts";
import type { Storage } from "./storage.ts";

const MB = 1024 * 1024;

function fill(storage: Storage, value: number): Storage {
  native.write(storage, new Uint8Array(new Float32Array(storage.byteLength / 4).fill(value).buffer), 0);
  return storage;
}

/** Keeps the thread busy. */
function work(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {}
}

async function contentOf(storage: Storage): Promise<Float32Array> {
  return new Float32Array((await native.read(storage, 0, storage.byteLength)).slice().buffer);
}

/**
 * An allocator on the addon's own watch, and how often it had the collector look. Its numbers begin at `base`, where the
 * backend of this thread uses none. A look may be made to take some milliseconds more.
 */
function counted(base: number, more = 0) {
  const addon = loadNativeAddon();
  const scavenge = scavenger();
  if ("reason" in addon || scavenge === undefined) throw new Error("there is no addon");
  let scavenges = 0;
  const deathWatch: DeathWatch = {
    watch: (owner, slot) => addon.watch(owner, base + slot),
    unwatch: (slot) => addon.unwatch(base + slot),
    dead: () => addon.dead().flatMap((slot) => (slot >= base ? [slot - base] : [])),
    scavenge: () => {
      scavenges++;
      scavenge();
      work(more);
    },
  };
  const allocator = new Allocator({ deathWatch });
  const allocate = (bytes: number) => {
    const owner = {};
    const block = allocator.allocate(bytes);
    allocator.entrust(block, owner);
    return { owner, block };
  };
  return { allocate, allocator, scavenge, scavenges: () => scavenges };
}

describe.skipIf(missing !== undefined)("the memory of results that were dropped", () => {
  it("is used again, in a loop that never yields", () => {
    const blocks = new Set<object>();
    for (let i = 0; i < 2000; i++) blocks.add(native.allocate(MB).block);
    expect(blocks.size).toBeLessThan(100);
  });

  it("is not used again while a result is held", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(3), fc.boolean(), fc.nat(39)), { maxLength: 120 }), async (steps) => {
        const held = new Map<number, { storage: Storage; value: number }>();
        let value = 0;
        for (const [size, isKept, place] of steps) {
          const storage = fill(native.allocate(WATCHED_BYTES * (1 + size)), ++value);
          if (isKept) held.set(place, { storage, value });
          else if (place % 5 === 0) native.release(storage);
        }
        for (const { storage, value } of held.values()) {
          expect((await contentOf(storage)).every((element) => element === value)).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("stays with whoever took its elements or its bytes", () => {
    const elements = fill(native.allocate(MB), 7).elements("float32");
    const { bytes } = fill(native.allocate(MB), 8);
    for (let i = 0; i < 200; i++) fill(native.allocate(MB), -1);
    expect(elements.every((element) => element === 7)).toBe(true);
    expect(new Float32Array(bytes.slice().buffer).every((element) => element === 8)).toBe(true);
  });

  it("may be shown again once it was released and handed out anew", () => {
    const storage = native.allocate(3 * MB);
    storage.elements("float32");
    const { block } = storage;
    native.release(storage);
    expect(block.isShown).toBe(false);
  });

  it("counts as cached, not as live", () => {
    const before = native.memory().live;
    for (let i = 0; i < 40; i++) native.allocate(5 * MB);
    scavenger()?.();
    expect(native.memory().live - before).toBeLessThan(20 * MB);
  });

  it("is looked for once in 8 MB where all is dropped, or in 24 where the search would take long beside the work", () => {
    const working = counted(1_000_000);
    for (let i = 0; i < 400; i++) {
      working.allocate(MB);
      work(2);
    }
    expect(working.scavenges()).toBeGreaterThanOrEqual(40);
    const searching = counted(5_000_000, 20);
    for (let i = 0; i < 400; i++) searching.allocate(MB);
    expect(searching.scavenges()).toBeGreaterThanOrEqual(15);
    expect(searching.scavenges()).toBeLessThanOrEqual(25);
  });

  it("is looked for ever more seldom where all is held", () => {
    const holding = counted(2_000_000);
    const held: object[] = [];
    for (let i = 0; i < 400; i++) held.push(holding.allocate(MB).owner);
    expect(held).toHaveLength(400);
    expect(holding.scavenges()).toBeLessThanOrEqual(8);
  });

  it("is looked for often again when V8 by itself finds that all is dropped", () => {
    const { allocate, scavenge, scavenges } = counted(3_000_000);
    const held: object[] = [];
    for (let i = 0; i < 400; i++) held.push(allocate(MB).owner);
    expect(held).toHaveLength(400);
    for (let round = 0; round < 30; round++) {
      for (let i = 0; i < 7; i++) allocate(MB);
      scavenge();
    }
    const before = scavenges();
    for (let i = 0; i < 400; i++) allocate(MB);
    expect(scavenges() - before).toBeGreaterThanOrEqual(15);
  });

  it("is looked for when a backward pass is over, however seldom otherwise", () => {
    const { allocate, allocator, scavenges } = counted(6_000_000);
    const held: object[] = [];
    for (let i = 0; i < 80; i++) held.push(allocate(MB).owner);
    expect(held.length).toBe(80);
    held.length = 0;
    work(250); // the last look is long ago by then, even if it was held up
    const before = scavenges();
    for (let i = 0; i < 8; i++) allocate(MB);
    expect(scavenges()).toBe(before);
    allocator.passed();
    allocate(MB);
    expect(scavenges()).toBe(before + 1);
    allocate(MB);
    expect(scavenges()).toBe(before + 1);
  });

  it("is handed out again beginning with what was written last", () => {
    const { allocate, scavenge } = counted(4_000_000);
    let last: object[] = [];
    for (let round = 0; round < 3; round++) {
      const results = [1, 2, 3].map(() => allocate(MB));
      const blocks = results.map(({ block }) => block);
      if (round > 0) expect(blocks.map((block) => last.indexOf(block))).toEqual([2, 1, 0]);
      last = blocks;
      results.length = 0;
      scavenge();
    }
  });

  it("leaves no collector in sight of other code", () => {
    expect(scavenger()).toBeTypeOf("function");
    if (!("gc" in globalThis)) expect(runInNewContext("typeof gc")).toBe("undefined");
  });
});

describe.skipIf(missing !== undefined)("the addon's watch", () => {
  it("refuses what it cannot watch", () => {
    const addon = loadNativeAddon();
    if ("reason" in addon) throw new Error(addon.reason);
    const owner = {};
    addon.watch(owner, 900_000);
    expect(() => addon.watch({}, 900_000)).toThrow(/watch takes/);
    for (const slot of [-1, 2 ** 24, Number.NaN, 1.5, 900_001])
      expect(() => addon.unwatch(slot)).toThrow(/unwatch takes/);
    for (const slot of [-1, 2 ** 24]) expect(() => addon.watch({}, slot)).toThrow(/watch takes/);
    addon.unwatch(900_000);
    expect(() => addon.unwatch(900_000)).toThrow(/unwatch takes/);
  });

  it("ends with a worker that still watches", async () => {
    const path =
      process.env["KINDLING_ADDON"] ?? new URL("../../native/build/Release/kindling.node", import.meta.url).pathname;
    const script = `
      const { parentPort, workerData } = require("node:worker_threads");
      const addon = require(workerData);
      const held = [];
      for (let i = 0; i < 1000; i++) { const owner = { i }; addon.watch(owner, i); if (i % 2 === 0) held.push(owner); }
      globalThis.held = held;
      for (let i = 0; i < 3e6; i++) held[i % 500] = { i };
      parentPort.postMessage(addon.dead().length);
    `;
    const worker = new Worker(script, { eval: true, workerData: path });
    const ended = once(worker, "exit");
    const [dead] = await once(worker, "message");
    expect(dead).toBeGreaterThanOrEqual(500);
    expect(await ended).toEqual([0]);
  });
});

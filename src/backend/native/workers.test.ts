/// <reference types="node" />
import { once } from "node:events";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { missing } from "../../../test/native/oracle.ts";

const local = fileURLToPath(new URL("../../../native/build/Release/kindling.node", import.meta.url));
const path = process.env.KINDLING_ADDON ?? local;

// Plain JavaScript on the addon itself: workers of the test runner would need its module loader.
const script = `
const { parentPort, workerData } = require("node:worker_threads");
const addon = require(workerData.path);
const numbers = new Float64Array(64);
addon.setDescriptor(numbers);
const write = (...values) => numbers.set(values.flat());
write(1, 0, 1, 3, 0, 0, 2, workerData.factor, 3, workerData.mul, 0, 1, 2); // x0 · factor
const program = addon.compile();
const n = 300000;
const x = new Float32Array(n).fill(3), y = new Float32Array(n);
const view = (a) => [addon.addressOf(a.buffer), a.byteLength, 0, 0, 1, a.length, 1];
let wrong = 0;
for (let i = 0; i < 200; i++) {
  write(program, 1, view(x), view(y));
  addon.map(x, y);
  for (let k = 0; k < n; k += 1013) if (y[k] !== 3 * workerData.factor) wrong++;
  y.fill(0);
}
parentPort.postMessage(wrong);
`;

describe.skipIf(missing !== undefined)("the addon in worker threads", () => {
  it("works in two at once, each with programs and descriptor of its own", async () => {
    const mul = 24; // position of "mul" in the scalar vocabulary
    const workers = [5, 7].map((factor) => new Worker(script, { eval: true, workerData: { path, factor, mul } }));
    const wrong = await Promise.all(workers.map(async (worker) => (await once(worker, "message"))[0]));
    expect(wrong).toEqual([0, 0]);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });
});

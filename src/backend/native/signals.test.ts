/// <reference types="node" />
import { execFileSync } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { missing } from "../../../test/native/oracle.ts";

// Products of every depth about the one up to which oneDNN's copy fits the stack, and a convolution, profiled in a
// process of its own, which a tick at the wrong moment would bring down.
const script = `
import { Session } from "node:inspector";
import { F, manualSeed, randn } from ${JSON.stringify(new URL("../../index.ts", import.meta.url).href)};
const session = new Session();
session.connect();
session.post("Profiler.enable");
session.post("Profiler.setSamplingInterval", { interval: 20 }); // microseconds
session.post("Profiler.start");
manualSeed(1);
const products = [10, 64, 83, 84, 85, 86, 168, 784].map((k) => [randn([64, k]), randn([50, k]).transpose(0, 1)]);
const images = randn([8, 8, 14, 14]), weights = randn([16, 8, 3, 3]);
const all = () => [...products.map(([a, b]) => a.matmul(b)), F.conv2d(images, weights, undefined, { padding: 1 })];
const bytes = (y) => Buffer.from(Float32Array.from(y.toTypedArray()).buffer);
const wanted = all().map(bytes);
let wrong = 0;
const end = performance.now() + 1500;
while (performance.now() < end) all().forEach((y, i) => { if (!bytes(y).equals(wanted[i])) wrong++; });
session.post("Profiler.stop", (error, { profile }) => console.log(JSON.stringify({ wrong, ticks: profile.samples.length })));
`;

describe.skipIf(missing !== undefined)("signals while oneDNN computes", () => {
  it("disturb no product and no convolution", () => {
    const flags = ["--conditions=@kindling/source", "--import", "tsx", "--input-type=module"];
    const output = execFileSync(process.execPath, [...flags, "--eval", script], {
      cwd: fileURLToPath(new URL(".", import.meta.url)),
      encoding: "utf8",
    });
    const { wrong, ticks } = JSON.parse(output);
    expect(wrong).toBe(0);
    expect(ticks).toBeGreaterThan(100);
  });
});

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Resvg } from "@resvg/resvg-js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ArgumentError, KindlingError } from "../backend/errors.ts";
import { Figure } from "./figure.ts";
import { fontWarning } from "./fonts.ts";
import { lossChart } from "./index.ts";
import { optional } from "./optional.ts";

const figure = lossChart({ train: [3, 2, 1] }, { width: 200, height: 100 });
let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "figure-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("a PNG has the size of the SVG times the scale, and ink", async () => {
  const svg = await figure.svg();
  const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg) ?? [];
  for (const scale of [1, 3]) {
    const png = Buffer.from(await figure.png(scale));
    expect([...png.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
    expect([png.readUInt32BE(16), png.readUInt32BE(20)]).toEqual([scale * Number(width), scale * Number(height)]);
  }
  const { pixels } = new Resvg(svg).render();
  expect(new Set(pixels).size).toBeGreaterThan(20);
  await expect(figure.png(0)).rejects.toThrow(ArgumentError);
  await expect(figure.png(Number.NaN)).rejects.toThrow(ArgumentError);
});

test("saves by the ending of the path, into folders that were not there", async () => {
  await figure.save(`${folder}/a/b/x.svg`);
  await figure.save(`${folder}/a/x.png`);
  await figure.save(`${folder}/x.json`);
  expect(await readFile(`${folder}/a/b/x.svg`, "utf8")).toBe(await figure.svg());
  expect((await readFile(`${folder}/a/x.png`)).subarray(1, 4).toString()).toBe("PNG");
  const again = new Figure(JSON.parse(await readFile(`${folder}/x.json`, "utf8")));
  expect(await again.svg()).toBe(await figure.svg());
});

test("refuses an ending it does not know, by name", async () => {
  // @ts-expect-error the type refuses it too
  const saved = figure.save(`${folder}/x.gif`);
  await expect(saved).rejects.toThrow(ArgumentError);
  await expect(saved).rejects.toThrow(/x\.gif/);
});

test("a notebook gets SVG and text", async () => {
  const display: unknown = Reflect.get(figure, Symbol.for("Jupyter.display"));
  if (typeof display !== "function") throw new Error("nothing to call");
  expect(await display.call(figure)).toEqual({ "image/svg+xml": await figure.svg(), "text/plain": "Figure: Loss" });
});

test("a machine without fonts is told from one with fonts", () => {
  const without = fontWarning((svg) => new Resvg(svg, { font: { loadSystemFonts: false } }).innerBBox() !== undefined);
  expect(without).toContain("fonts-dejavu-core");
  expect(fontWarning((svg) => svg.includes("<text"))).toBeUndefined();
});

test("a missing package is named with the way to install it", async () => {
  const name: string = "no-such-package-here";
  const loading = optional("Figure.svg", name, () => import(/* @vite-ignore */ name));
  await expect(loading).rejects.toThrow(KindlingError);
  await expect(loading).rejects.toThrow(/npm install no-such-package-here/);
});

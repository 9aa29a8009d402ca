import { gunzip, readFile, sha256 } from "#platform";
import { ArgumentError, DataError } from "../../backend/errors.ts";
import { elementwise, expr, type Tensor, tensor } from "../../tensor/index.ts";
import { TensorDataset } from "../dataset.ts";
import { makesFresh } from "../loader.ts";
import { DataLoaders } from "../loaders.ts";
import type { Statistics } from "../transforms.ts";
import { type IdxArray, readIdx } from "./idx.ts";

/** Images and their classes. Shapes: x `[n, 1, 28, 28]` or `[n, 784]` uint8, y `[n]` int32. */
export interface ImagesAndLabels {
  readonly x: Tensor;
  readonly y: Tensor;
}

/** A file of known content. */
interface KnownFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Where a set of small grey images lies, and what its files must hold. */
export interface ImageSet {
  /** The function the user called, for error messages. */
  readonly operation: string;
  readonly classes: readonly string[];
  readonly train: { readonly images: KnownFile; readonly labels: KnownFile };
  readonly test: { readonly images: KnownFile; readonly labels: KnownFile };
  /** The folder where an installed set lies, if it is installed. */
  readonly folder: () => string | undefined;
  /** How to get the set. */
  readonly install: string;
}

/** Options of the functions that give tensors. */
export interface ImageTensorOptions {
  /** Images as rows of 784 numbers, not as `[1, 28, 28]`. Default false. */
  readonly flatten?: boolean | undefined;
  /**
   * What to validate on: the last 10,000 images of the training file, which are then not trained on; or the test file.
   */
  readonly valid?: "last10k" | "test" | undefined;
  /** Where the files are, packed by gzip or not. Default where the package that brings them was installed. */
  readonly folder?: string | undefined;
}

/** Options of the functions that give loaders. */
export interface ImageLoaderOptions extends ImageTensorOptions {
  /** Default 64. */
  readonly batchSize?: number | undefined;
  /** Default twice `batchSize`. */
  readonly validBatchSize?: number | undefined;
  /** Whether the training loader shuffles. Default true. */
  readonly shuffle?: boolean | undefined;
  /** Chooses the order of shuffling. Default drawn from the global random sequence. */
  readonly seed?: number | undefined;
  /** Leaves out a last training batch that is not full. Default false. */
  readonly dropLast?: boolean | undefined;
  /** Brings pixels to mean 0 and standard deviation 1, by the statistics of the training images. Default true. */
  readonly normalize?: boolean | undefined;
  /** What pixels, 0 to 255, are divided by: 255, or 256 as in the course's file. Default 255. */
  readonly scale?: 255 | 256 | undefined;
  /** Adds a third loader, over the test file. Default false. */
  readonly test?: boolean | undefined;
}

const heldOut = 10_000;

/** `(x / scale − mean) / std` in one pass from bytes to float32. */
const toNormalized = elementwise(
  "normalizePixels",
  4,
  (x, scale, mean, std) => expr.div(expr.sub(expr.div(x, scale), mean), std),
  { result: "float" },
);
const toUnit = elementwise("scalePixels", 2, (x, scale) => expr.div(x, scale), { result: "float" });

/** All parts of an image set as tensors. */
export async function imageTensors(
  set: ImageSet,
  options: ImageTensorOptions,
): Promise<{ readonly train: ImagesAndLabels; readonly valid: ImagesAndLabels; readonly test: ImagesAndLabels }> {
  checkOptions(set, options);
  const test = await readPart(set, "test", options);
  const whole = await readPart(set, "train", options);
  return { ...splitTraining(whole, () => test, options), test };
}

/** Loaders over an image set: bytes in memory, floats in the batches. */
export async function imageLoaders(set: ImageSet, options: ImageLoaderOptions): Promise<DataLoaders> {
  checkOptions(set, options);
  const { normalize = true, scale = 255, flatten, valid, folder, test: wantsTest = false, ...loading } = options;
  const whole = await readPart(set, "train", { flatten, folder });
  const test = wantsTest || valid === "test" ? await readPart(set, "test", { flatten, folder }) : undefined;
  const parts = splitTraining(whole, () => test, { valid });
  const { mean, std } = normalize ? pixelStatistics(parts.train.x, scale) : { mean: 0, std: 1 };
  const toFloat = (x: Tensor) => (normalize ? toNormalized(x, scale, mean, std) : toUnit(x, scale));
  return DataLoaders.fromDatasets(datasetOf(parts.train), datasetOf(parts.valid), {
    ...loading,
    test: wantsTest && test !== undefined ? datasetOf(test) : undefined,
    classes: set.classes,
    batchTransform: makesFresh(([bytes, y]: readonly [Tensor, Tensor]) => {
      const x = toFloat(bytes);
      bytes.storage.abandon();
      return [x, y] as const;
    }),
  });
}

/** Mean and standard deviation of pixels divided by `scale`, exact from the counts of the 256 values. */
export function pixelStatistics(x: Tensor, scale: number): Statistics<number> {
  const counts = new Float64Array(256);
  for (const pixel of x.toTypedArray()) counts[pixel]++;
  const n = x.numel();
  const mean = counts.reduce((sum, count, value) => sum + count * value, 0) / n;
  const squares = counts.reduce((sum, count, value) => sum + count * (value - mean) ** 2, 0);
  return { mean: mean / scale, std: Math.sqrt(squares / (n - 1)) / scale };
}

function checkOptions(set: ImageSet, { valid = "last10k", scale = 255 }: ImageLoaderOptions): void {
  if (valid !== "last10k" && valid !== "test") {
    throw new ArgumentError(set.operation, `valid must be "last10k" or "test", got "${String(valid)}".`);
  }
  if (scale !== 255 && scale !== 256) {
    throw new ArgumentError(set.operation, `scale must be 255 or 256, got ${String(scale)}.`);
  }
}

function datasetOf({ x, y }: ImagesAndLabels): TensorDataset<[Tensor, Tensor]> {
  return new TensorDataset(x, y);
}

function splitTraining(
  whole: ImagesAndLabels,
  test: () => ImagesAndLabels | undefined,
  { valid = "last10k" }: ImageTensorOptions,
): { train: ImagesAndLabels; valid: ImagesAndLabels } {
  const testPart = valid === "test" ? test() : undefined;
  if (testPart !== undefined) return { train: whole, valid: testPart };
  const end = whole.y.numel() - heldOut;
  return {
    train: { x: whole.x.slice(0, 0, end), y: whole.y.slice(0, 0, end) },
    valid: { x: whole.x.slice(0, end), y: whole.y.slice(0, end) },
  };
}

async function readPart(
  set: ImageSet,
  part: "train" | "test",
  { flatten = false, folder }: ImageTensorOptions,
): Promise<ImagesAndLabels> {
  const [images, labels] = await Promise.all([
    readKnownFile(set, set[part].images, folder),
    readKnownFile(set, set[part].labels, folder),
  ]);
  const [count, height, width] = images.shape;
  const shape = flatten ? [count, height * width] : [count, 1, height, width];
  return { x: tensor(bytesOf(images), { shape }), y: tensor(bytesOf(labels), { dtype: "int32" }) };
}

async function readKnownFile(set: ImageSet, file: KnownFile, given: string | undefined): Promise<IdxArray> {
  const folder = given ?? set.folder();
  if (folder === undefined) throw new DataError(set.operation, `the data is not installed. ${set.install}`);
  const path = `${folder}/${file.name}`;
  const bytes = (await readFile(path)) ?? (await readPacked(set, `${path}.gz`, file.bytes));
  if (bytes === undefined) {
    throw new DataError(set.operation, `there is no file "${path}", nor "${file.name}.gz" beside it. ${set.install}`);
  }
  const actual = await sha256(bytes);
  if (actual !== file.sha256) {
    throw new DataError(
      set.operation,
      `"${path}" is damaged or another file: expected ${file.bytes} bytes with SHA-256 ${file.sha256}, ` +
        `got ${bytes.length} bytes with ${actual}.`,
    );
  }
  return readIdx(bytes);
}

async function readPacked(set: ImageSet, path: string, largest: number): Promise<Uint8Array | undefined> {
  const packed = await readFile(path);
  if (packed === undefined) return undefined;
  try {
    return await gunzip(packed, largest);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new DataError(set.operation, `"${path}" cannot be unpacked to ${largest} bytes: ${reason}.`, { cause });
  }
}

function bytesOf(array: IdxArray): Uint8Array {
  return array.values instanceof Uint8Array ? array.values : Uint8Array.from(array.values);
}

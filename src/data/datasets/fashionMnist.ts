import type { DataLoaders } from "../loaders.ts";
import {
  type ImageLoaderOptions,
  type ImageSet,
  type ImagesAndLabels,
  type ImageTensorOptions,
  imageLoaders,
  imageTensors,
} from "./imageSet.ts";

/** The checksums are of the unpacked files: Debian packs them anew, so the packed ones differ from place to place. */
const clothes: ImageSet = {
  operation: "fashionMnist",
  classes: ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"],
  train: {
    images: {
      name: "train-images-idx3-ubyte",
      bytes: 47_040_016,
      sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    },
    labels: {
      name: "train-labels-idx1-ubyte",
      bytes: 60_008,
      sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    },
  },
  test: {
    images: {
      name: "t10k-images-idx3-ubyte",
      bytes: 7_840_016,
      sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    },
    labels: {
      name: "t10k-labels-idx1-ubyte",
      bytes: 10_008,
      sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
  },
  folder: () => "/usr/share/datasets/fashion-mnist",
  install:
    "On Debian or Ubuntu install it with `apt-get install dataset-fashion-mnist`; or name a folder that holds the four " +
    "files: { folder }.",
};

/**
 * Fashion-MNIST, 28 × 28 grey images of clothes in ten classes, as loaders: 60,000 to train on, the 10,000 of the test
 * file to validate on.
 *
 * Shapes: batches `[n, 1, 28, 28]` float32, or `[n, 784]` with `flatten`; and `[n]` int32.
 *
 * The files come from Debian's package `dataset-fashion-mnist` or a folder, packed by gzip or not, and must be the
 * original ones. In memory images stay bytes; a batch is made float32, scaled and normalised in one pass.
 *
 * @throws {@link DataError} when files are missing or not the original ones.
 * @see Xiao, Rasul, Vollgraf 2017, https://arxiv.org/abs/1708.07747
 * @example
 * const dls = await fashionMnist({ batchSize: 1024, flatten: true, normalize: false });
 * [dls.train.length, dls.valid.length]; // => [59, 5]
 */
export async function fashionMnist(options: ImageLoaderOptions = {}): Promise<DataLoaders> {
  return imageLoaders(clothes, { ...options, valid: options.valid ?? "test" });
}

/**
 * Fashion-MNIST as tensors, pixels as they are: 0 to 255 in uint8. Validation and test are the same part, unless
 * `valid` says otherwise.
 *
 * Shapes: x `[n, 1, 28, 28]`, or `[n, 784]` with `flatten`; y `[n]` int32; n is 60,000 and 10,000.
 *
 * @throws {@link DataError} as {@link fashionMnist}.
 */
export async function fashionMnistTensors(
  options: ImageTensorOptions = {},
): Promise<{ readonly train: ImagesAndLabels; readonly valid: ImagesAndLabels; readonly test: ImagesAndLabels }> {
  return imageTensors(clothes, { ...options, valid: options.valid ?? "test" });
}

import type { Tensor } from "../tensor/index.ts";
import type { Collated } from "./collate.ts";
import type { Dataset } from "./dataset.ts";
import { DataLoader, type Loader, type LoaderOptions } from "./loader.ts";

/** Options of {@link DataLoaders.fromDatasets}: those of a loader, and what differs between the two. */
export interface DataLoadersOptions<Item, Batch> extends LoaderOptions<Item, Batch> {
  /** Items in a batch of the validation loader, which keeps no gradients. Default twice `batchSize`. */
  readonly validBatchSize?: number | undefined;
  /** Whether the training loader shuffles; the validation loader never does. Default true, unless a sampler is given. */
  readonly shuffle?: boolean | undefined;
  /** Names of the classes, by their numbers. */
  readonly classes?: readonly string[] | undefined;
}

/**
 * The loaders of a training run: one to train on, one to validate on.
 *
 * @see fastai: `DataLoaders`.
 * @example
 * const data = new TensorDataset(rand([100, 4]), arange(100));
 * const dls = DataLoaders.fromDatasets(data.slice(0, 80), data.slice(80), { batchSize: 16 });
 * [dls.train.length, dls.valid.length]; // => [5, 1]
 */
export class DataLoaders<Batch = readonly [Tensor, Tensor]> {
  readonly train: Loader<Batch>;
  readonly valid: Loader<Batch>;
  /** A third part, kept back until the end, where there is one. */
  readonly test: Loader<Batch> | undefined;
  /** Names of the classes by their numbers, where there are classes. */
  readonly classes: readonly string[] | undefined;

  constructor(
    train: Loader<Batch>,
    valid: Loader<Batch>,
    {
      test,
      classes,
    }: { readonly test?: Loader<Batch> | undefined; readonly classes?: readonly string[] | undefined } = {},
  ) {
    this.train = train;
    this.valid = valid;
    this.test = test;
    this.classes = classes;
  }

  /**
   * Loaders over datasets: shuffled batches to train on, batches in order and twice as large to validate on and to test.
   * Options other than the batch size and the order hold for all; `dropLast` is for training only, because leaving
   * items out of a validation gives a wrong result.
   */
  static fromDatasets<Item, Batch = Collated<Item>>(
    train: Dataset<Item>,
    valid: Dataset<Item>,
    options: DataLoadersOptions<Item, Batch> & { readonly test?: Dataset<Item> | undefined } = {},
  ): DataLoaders<Batch> {
    const { batchSize = 64, validBatchSize = 2 * batchSize, classes, test, ...loading } = options;
    const { sampler, shuffle = sampler === undefined, seed, dropLast, ...shared } = loading;
    const inOrder = { ...shared, batchSize: validBatchSize };
    return new DataLoaders(
      new DataLoader<Item, Batch>(train, { ...shared, batchSize, sampler, shuffle, seed, dropLast }),
      new DataLoader<Item, Batch>(valid, inOrder),
      { test: test && new DataLoader<Item, Batch>(test, inOrder), classes },
    );
  }
}

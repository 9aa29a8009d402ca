import { ArgumentError } from "../backend/errors.ts";
import type { Tensor } from "../tensor/index.ts";
import { type Collated, collate } from "./collate.ts";
import { type Awaitable, type Dataset, TensorDataset } from "./dataset.ts";
import { BatchSampler, checkCount, RandomSampler, type Sampler, SequentialSampler } from "./sampler.ts";

/** Where a loader stands: all it takes to go on exactly there. */
export interface LoaderState {
  /** Chooses the order; 0 for samplers without one. */
  readonly seed: number;
  /** Counted from 0. */
  readonly epoch: number;
  /** Batches of the epoch handed out so far. */
  readonly position: number;
}

/** From where to run through the batches of an epoch. */
export interface IterateOptions {
  /** Counted from 0. Default the next epoch, or the one a restored state was in. */
  readonly epoch?: number | undefined;
  /** The first batch wanted, counted from 0. Default 0, or where a restored state was. */
  readonly start?: number | undefined;
}

/** What a training loop needs of a source of batches; {@link DataLoader} is the usual one. */
export interface Loader<Batch> extends AsyncIterable<Batch> {
  /** Number of batches of an epoch. */
  readonly length: number;
  /** What the batches are made of, where there is such a thing. */
  readonly dataset?: { readonly length: number; get(index: number): unknown };
  /** The batches of an epoch in order, each at hand or promised; await one before asking for the next. */
  iterate(options?: IterateOptions): IterableIterator<Awaitable<Batch>>;
  state(): LoaderState;
  setState(state: LoaderState): void;
}

/** How a {@link DataLoader} makes batches. */
export interface LoaderOptions<Item, Batch> {
  /** Items in a batch. Default 64. */
  readonly batchSize?: number | undefined;
  /** Takes the items in random order, another one each epoch. Default false. */
  readonly shuffle?: boolean | undefined;
  /** Leaves out a last batch that is not full. Default false. */
  readonly dropLast?: boolean | undefined;
  /** The order of the items, in the place of `shuffle`. */
  readonly sampler?: Sampler | undefined;
  /** Chooses the order of `shuffle`. Default drawn from the global random sequence, so that after `manualSeed` runs repeat. */
  readonly seed?: number | undefined;
  /** Makes a batch of items. Default {@link collate}, or one gather per tensor where the dataset can do that. */
  readonly collate?: ((items: Item[]) => Batch) | undefined;
  /** Goes over every batch before it is handed out, for instance to scale pixels. */
  readonly batchTransform?: ((batch: Batch) => Batch) | undefined;
  /** Batches fetched ahead while one is worked on, where the dataset gives promises. Default 2. */
  readonly prefetch?: number | undefined;
  /** Items of one batch asked for at the same time, where the dataset gives promises. Default 8. */
  readonly concurrency?: number | undefined;
}

/**
 * Runs through a dataset in batches, epoch after epoch.
 *
 * `for await` gives the batches of one epoch; each such loop is a new epoch. The order depends on the seed and the epoch
 * only, so that {@link DataLoader.state}, three integers, is enough to go on in the middle of an epoch.
 *
 * @throws {@link ArgumentError} for a batch size below 1, or `shuffle` together with a `sampler`.
 * @see PyTorch: `torch.utils.data.DataLoader`. Differs: the order is a function, not a random state; batches need not be
 * awaited where the data lies in memory, see {@link DataLoader.iterate}.
 * @example
 * const loader = new DataLoader(new TensorDataset(rand([10, 4]), arange(10)), { batchSize: 4 });
 * loader.length; // => 3
 * for await (const [x, y] of loader) x.shape[0] === y.shape[0]; // => true
 */
export class DataLoader<Item = readonly [Tensor, Tensor], Batch = Collated<Item>> implements Loader<Batch> {
  readonly dataset: Dataset<Item>;
  readonly #batches: BatchSampler;
  readonly #options: LoaderOptions<Item, Batch>;
  readonly #prefetch: number;
  readonly #concurrency: number;
  #epoch = 0;
  #position = 0;
  #isRestored = false;

  constructor(dataset: Dataset<Item>, options: LoaderOptions<Item, Batch> = {}) {
    const { batchSize = 64, dropLast = false, prefetch = 2, concurrency = 8 } = options;
    this.dataset = dataset;
    this.#options = options;
    this.#batches = new BatchSampler(samplerOf(dataset.length, options), batchSize, { dropLast });
    this.#prefetch = checkCount("DataLoader", "prefetch", prefetch);
    this.#concurrency = checkCount("DataLoader", "concurrency", concurrency, 1);
  }

  get length(): number {
    return this.#batches.length;
  }

  get batchSize(): number {
    return this.#batches.batchSize;
  }

  get sampler(): Sampler {
    return this.#batches.sampler;
  }

  /**
   * Whether each batch lies in memory made for it, that nothing but its receiver looks at: a training loop may give it back
   * when it is done.
   */
  get _makesFreshBatches(): boolean {
    const { collate: own, batchTransform } = this.#options;
    return (
      this.iterate === DataLoader.prototype.iterate &&
      this.dataset instanceof TensorDataset &&
      this.dataset.batch === TensorDataset.prototype.batch &&
      own === undefined &&
      (batchTransform === undefined || freshTransforms.has(batchTransform))
    );
  }

  /** Where this loader stands; after the last batch of an epoch was asked past, at the start of the next. */
  state(): LoaderState {
    return { seed: this.sampler.seed ?? 0, epoch: this.#epoch, position: this.#position };
  }

  /**
   * Makes the next loop go on where another stood.
   *
   * @throws {@link ArgumentError} for numbers that cannot be a state of this loader.
   */
  setState({ seed, epoch, position }: LoaderState): void {
    checkCount("DataLoader.setState", "seed", seed);
    checkCount("DataLoader.setState", "epoch", epoch);
    this.#checkStart("DataLoader.setState", "position", position);
    if (this.sampler.seed !== undefined) this.sampler.seed = seed;
    this.#epoch = epoch;
    this.#position = position;
    this.#isRestored = true;
  }

  /**
   * The batches of one epoch, each one at hand or, where the dataset gives promises, promised: the loop for those who
   * count microseconds. Await a promise before asking for the next batch. Leaving the loop stops the fetching.
   *
   * @example
   * const loader = new DataLoader(new TensorDataset(rand([10, 4]), arange(10)), { batchSize: 4 });
   * for (const next of loader.iterate({ epoch: 0, start: 2 })) {
   *   const [x] = next instanceof Promise ? await next : next;
   *   x.shape; // => [2, 4]
   * }
   */
  *iterate(options: IterateOptions = {}): Generator<Awaitable<Batch>, void, undefined> {
    const { epoch, start } = this.#begin(options);
    const batches = this.#batches.batches(epoch);
    const stop = new AbortController();
    const ahead: Awaitable<Batch>[] = [];
    let next = start;
    try {
      for (let position = start; position < batches.length; position++) {
        while (next < batches.length && this.#wantsMore(ahead)) {
          ahead.push(
            ahead.length === 0 ? this.#fetch(batches[next], stop.signal) : this.#fetchAhead(batches[next], stop.signal),
          );
          next++;
        }
        const batch = ahead.shift();
        if (batch === undefined) return;
        this.#epoch = epoch;
        this.#position = position + 1;
        yield batch;
      }
      this.#epoch = epoch + 1;
      this.#position = 0;
    } finally {
      stop.abort();
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    for (const batch of this.iterate()) yield await batch;
  }

  /** Which epoch to run through, and from where. */
  #begin({ epoch, start }: IterateOptions): { epoch: number; start: number } {
    const restored = this.#isRestored && epoch === undefined;
    this.#isRestored = false;
    const next = this.#position === 0 || restored ? this.#epoch : this.#epoch + 1;
    const first = start ?? (restored ? this.#position : 0);
    this.#checkStart("DataLoader.iterate", "start", first);
    return { epoch: checkCount("DataLoader.iterate", "epoch", epoch ?? next), start: first };
  }

  #checkStart(operation: string, name: string, position: number): void {
    if (checkCount(operation, name, position) > this.length) {
      throw new ArgumentError(operation, `${name} ${position} is past the end: an epoch has ${this.length} batches.`);
    }
  }

  /** One batch if it is at hand; else as many as shall be fetched ahead. */
  #wantsMore(ahead: readonly Awaitable<Batch>[]): boolean {
    if (ahead.length === 0) return true;
    return ahead.length <= this.#prefetch && ahead.at(-1) instanceof Promise;
  }

  /** As fetch, but what goes wrong keeps until the batch is due. */
  #fetchAhead(indices: Int32Array, stop: AbortSignal): Awaitable<Batch> {
    try {
      return this.#fetch(indices, stop);
    } catch (error) {
      return quiet(Promise.reject(error));
    }
  }

  #fetch(indices: Int32Array, stop: AbortSignal): Awaitable<Batch> {
    const { dataset } = this;
    if (this.#options.collate === undefined && dataset.batch !== undefined) {
      return this.#finish(batchOf<Item, Batch>(dataset, indices));
    }
    const items: Item[] = [];
    for (const index of indices) {
      const item = dataset.get(index);
      if (item instanceof Promise) return quiet(this.#fetchRest(indices, items, item, stop));
      items.push(item);
    }
    return this.#finish(collateWith(this.#options, items));
  }

  /** The rest of a batch from its first promised item on, some at a time. */
  async #fetchRest(indices: Int32Array, items: Item[], first: Promise<Item>, stop: AbortSignal): Promise<Batch> {
    let next = items.length;
    let hasFailed = false;
    const lane = async (pending: Promise<Item> | undefined): Promise<void> => {
      if (pending !== undefined) {
        const position = next++;
        items[position] = await pending;
      }
      while (next < indices.length && !stop.aborted && !hasFailed) {
        const position = next++;
        items[position] = await this.dataset.get(indices[position]);
      }
    };
    const lanes = Array.from({ length: this.#concurrency }, (_, k) => lane(k === 0 ? first : undefined));
    try {
      await Promise.all(lanes);
    } catch (error) {
      hasFailed = true;
      throw error;
    }
    stop.throwIfAborted();
    return this.#finish(collateWith(this.#options, items));
  }

  #finish(batch: Batch): Batch {
    const { batchTransform } = this.#options;
    return batchTransform === undefined ? batch : batchTransform(batch);
  }
}

const freshTransforms = new WeakSet<object>();

/** Vouches for a batch transform of our own: what it gives lies in new memory, and of what it was given it keeps nothing. */
export function makesFresh<Transform extends object>(transform: Transform): Transform {
  freshTransforms.add(transform);
  return transform;
}

function samplerOf<Item, Batch>(length: number, options: LoaderOptions<Item, Batch>): Sampler {
  const { sampler, shuffle = false, seed } = options;
  if (sampler === undefined) {
    if (!shuffle) return new SequentialSampler(length);
    return new RandomSampler(length, seed === undefined ? {} : { seed });
  }
  if (shuffle || seed !== undefined) {
    throw new ArgumentError("DataLoader", "a sampler decides the order; leave out shuffle and seed.");
  }
  return sampler;
}

/** Without a `collate` option, `Batch` is by its default what `collate` makes of items. */
function collateWith<Item, Batch>(options: LoaderOptions<Item, Batch>, items: Item[]): Batch;
function collateWith(options: LoaderOptions<unknown, unknown>, items: unknown[]): unknown {
  return options.collate === undefined ? collate(items) : options.collate(items);
}

/** As with {@link collateWith}. */
function batchOf<Item, Batch>(dataset: Dataset<Item>, indices: Int32Array): Batch;
function batchOf(dataset: Dataset<unknown>, indices: Int32Array): unknown {
  return dataset.batch?.(indices);
}

/** A promise whose rejection may wait until its turn comes. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

import { ArgumentError, IndexError, ShapeError } from "../backend/errors.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import type { Collated } from "./collate.ts";

/** A value, or a promise of it. */
export type Awaitable<T> = T | Promise<T>;

/**
 * Items with numbers from 0 to `length` − 1: all a {@link DataLoader} asks for.
 *
 * @example
 * const squares: Dataset<number> = { length: 10, get: (i) => i * i };
 * squares.get(3); // => 9
 */
export interface Dataset<Item> {
  readonly length: number;
  /** One item; a promise where it has to be read or decoded. */
  get(index: number): Awaitable<Item>;
  /** A whole batch in one go, equal to collating the items one by one. */
  batch?(indices: Int32Array): Collated<Item>;
}

/**
 * Tensors that share their first axis: item i is the tuple of their i-th slices, a batch is one gather per tensor.
 *
 * @throws {@link ShapeError} when the first sizes differ or a tensor is a single number.
 * @see PyTorch: `torch.utils.data.TensorDataset`.
 * @example
 * const data = new TensorDataset(arange(6).reshape([3, 2]), arange(3));
 * data.batch([2, 0])[0].toArray(); // => [[4, 5], [0, 1]]
 */
export class TensorDataset<Tensors extends readonly Tensor[] = [Tensor, Tensor]>
  implements Dataset<readonly [...Tensors]>
{
  readonly length: number;
  /** The whole tensors. */
  readonly tensors: readonly [...Tensors];

  constructor(...tensors: Tensors) {
    if (tensors.length === 0) throw new ArgumentError("TensorDataset", "needs at least one tensor.");
    for (const x of tensors) {
      if (x.rank === 0) throw new ShapeError("TensorDataset", "a single number has no items. Give it an axis.");
      if (x.shape[0] !== tensors[0].shape[0]) {
        throw new ShapeError(
          "TensorDataset",
          `numbers of items differ: [${tensors[0].shape}] and [${x.shape}] (${tensors[0].shape[0]} ≠ ${x.shape[0]}).`,
        );
      }
    }
    this.length = tensors[0].shape[0];
    this.tensors = mapTensors(tensors, (x) => x);
  }

  get(index: number): readonly [...Tensors] {
    checkPosition("TensorDataset.get", index, this.length);
    return mapTensors(this.tensors, (x) => x.select(0, index));
  }

  /**
   * The items at some positions, as a batch; that of channels-last images is channels-last.
   *
   * @throws {@link IndexError} for a position outside the dataset.
   */
  batch(indices: Int32Array | readonly number[]): Collated<readonly [...Tensors]> {
    const positions =
      indices instanceof Int32Array ? indices : positionsIn("TensorDataset.batch", indices, this.length);
    return gather(this.tensors, tensor(positions, { device: this.tensors[0].device }));
  }

  /** The items from `start` up to, not including, `end`, sharing memory with this dataset. */
  slice(start = 0, end: number = this.length): TensorDataset<[...Tensors]> {
    return new TensorDataset(...mapTensors(this.tensors, (x) => x.slice(0, start, end)));
  }
}

/**
 * Some items of a dataset, in a given order.
 *
 * @throws {@link IndexError} for an index outside the dataset.
 * @see PyTorch: `torch.utils.data.Subset`.
 */
export class Subset<Item> implements Dataset<Item> {
  readonly dataset: Dataset<Item>;
  /** Position i holds item `indices[i]` of the dataset. */
  readonly indices: Int32Array;
  /** As in {@link Dataset}, where the dataset has it. */
  declare batch?: (indices: Int32Array) => Collated<Item>;

  constructor(dataset: Dataset<Item>, indices: Iterable<number>) {
    this.dataset = dataset;
    this.indices = positionsIn("Subset", indices, dataset.length);
    if (dataset.batch === undefined) return;
    const batch = dataset.batch.bind(dataset);
    this.batch = (positions) => batch(positions.map((i) => this.#at("Subset.batch", i)));
  }

  get length(): number {
    return this.indices.length;
  }

  get(index: number): Awaitable<Item> {
    return this.dataset.get(this.#at("Subset.get", index));
  }

  #at(operation: string, index: number): number {
    checkPosition(operation, index, this.indices.length);
    return this.indices[index];
  }
}

/**
 * A dataset whose items go through a function when they are asked for, every time anew.
 *
 * @param transform - Gets the item and its number; may return a promise.
 * @example
 * mapItems({ length: 3, get: (i) => i }, (i) => i * 10).get(2); // => 20
 */
export function mapItems<Item, Result>(
  dataset: Dataset<Item>,
  transform: (item: Item, index: number) => Awaitable<Result>,
): Dataset<Result> {
  return {
    get length() {
      return dataset.length;
    },
    get(index) {
      const item = dataset.get(index);
      return item instanceof Promise ? item.then((value) => transform(value, index)) : transform(item, index);
    },
  };
}

/**
 * Refuses what is no position.
 *
 * @throws {@link IndexError} naming the operation and both numbers.
 */
export function checkPosition(operation: string, index: number, length: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= length) {
    throw new IndexError(operation, `index ${index} is out of range for ${length} items.`);
  }
}

/** Positions as int32, each one checked. */
export function positionsIn(operation: string, indices: Iterable<number>, length: number): Int32Array {
  const list = indices instanceof Int32Array ? indices.slice() : [...indices];
  for (const index of list) checkPosition(operation, index, length);
  return list instanceof Int32Array ? list : Int32Array.from(list);
}

/** The same rows of each tensor. */
function gather<Tensors extends readonly Tensor[]>(tensors: Tensors, index: Tensor): Collated<Tensors>;
function gather(tensors: readonly Tensor[], index: Tensor): readonly Tensor[] {
  return tensors.map((x) => rows(x, index));
}

/** Rows as they lie: of images that are channels-last each is one piece of memory, and so is the batch. */
function rows(x: Tensor, index: Tensor): Tensor {
  if (x.isContiguous() || !x.isContiguous({ memoryFormat: "channelsLast" })) return x.indexSelect(0, index);
  const places = Array.from({ length: x.rank - 2 }, (_, i) => i + 1);
  const selected = x.permute([0, ...places.map((axis) => axis + 1), 1]).indexSelect(0, index);
  return selected.permute([0, x.rank - 1, ...places]);
}

/** `map` that keeps a tuple a tuple. */
function mapTensors<Tensors extends readonly Tensor[]>(
  tensors: Tensors,
  transform: (x: Tensor) => Tensor,
): [...Tensors];
function mapTensors(tensors: readonly Tensor[], transform: (x: Tensor) => Tensor): readonly Tensor[] {
  return tensors.map(transform);
}

import { ArgumentError, ShapeError } from "../backend/errors.ts";
import { sameShape } from "../backend/shape.ts";
import { stack, Tensor, tensor } from "../tensor/index.ts";

/** Numbers in memory, as an item may hold them. */
export type ItemArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** What {@link collate} makes of items: tensors in the place of numbers, arrays and tensors. */
export type Collated<Item> = unknown extends Item
  ? unknown
  : Item extends Tensor | ItemArray | number | boolean
    ? Tensor
    : Item extends string
      ? readonly string[]
      : { readonly [K in keyof Item]: Collated<Item[K]> };

/**
 * Makes a batch of items: a new first axis, field by field.
 *
 * Tensors and typed arrays are stacked and keep their dtype (Float64Array becomes float32). Numbers become int32 where
 * all of the batch are whole, as class numbers are, else float32; booleans bool; strings a list. Tuples and records stay
 * what they are, with a batch in each place. Where the dtype must not depend on the values, give typed arrays or tensors.
 *
 * @throws {@link ShapeError} when shapes or fields differ, naming the item, the field and both shapes.
 * @see PyTorch: `torch.utils.data.default_collate`.
 * @example
 * const [x, y] = collate([[Float32Array.of(1, 2), 0], [Float32Array.of(3, 4), 1]] as const);
 * x.toArray(); // => [[1, 2], [3, 4]]
 * y.dtype; // => "int32"
 */
export function collate<Item>(items: readonly Item[]): Collated<Item>;
export function collate(items: readonly unknown[]): unknown {
  if (items.length === 0) throw new ArgumentError("collate", "needs at least one item.");
  return collateField(items, "");
}

function collateField(values: readonly unknown[], path: string): unknown {
  const first = values[0];
  if (first instanceof Tensor) return stackTensors(allOf(values, path, "a tensor", isTensor), path);
  if (isItemArray(first)) {
    const arrays = allOf(values, path, "a typed array", isItemArray);
    return stackTensors(
      arrays.map((array) => tensor(array)),
      path,
    );
  }
  if (typeof first === "number") return collateNumbers(allOf(values, path, "a number", isNumber));
  if (typeof first === "boolean") return tensor(allOf(values, path, "a boolean", isBoolean));
  if (typeof first === "string") return allOf(values, path, "a string", isString);
  if (Array.isArray(first)) return collateTuples(allOf(values, path, "an array", isArray), path);
  if (isRecord(first)) return collateRecords(allOf(values, path, "a record", isRecord), path);
  throw new ArgumentError(
    "collate",
    `${where(path, 0)} ${kindOf(first)}, which cannot be batched. Give a collate function.`,
  );
}

function collateNumbers(values: readonly number[]): Tensor {
  const whole = values.every((value) => Number.isInteger(value) && Math.abs(value) < 2 ** 31);
  return tensor(values, { dtype: whole ? "int32" : "float32" });
}

function collateTuples(tuples: readonly (readonly unknown[])[], path: string): unknown {
  const { length } = tuples[0];
  tuples.forEach((tuple, i) => {
    if (tuple.length === length) return;
    throw new ShapeError("collate", `${where(path, i)} ${tuple.length} fields, item 0 has ${length}.`);
  });
  return Array.from({ length }, (_, k) =>
    collateField(
      tuples.map((tuple) => tuple[k]),
      `${path}[${k}]`,
    ),
  );
}

function collateRecords(records: readonly Readonly<Record<string, unknown>>[], path: string): unknown {
  const keys = Object.keys(records[0]);
  records.forEach((record, i) => {
    const own = Object.keys(record);
    if (own.length === keys.length && keys.every((key) => Object.hasOwn(record, key))) return;
    throw new ShapeError("collate", `${where(path, i)} the fields {${own}}, item 0 has {${keys}}.`);
  });
  return Object.fromEntries(
    keys.map((key) => [
      key,
      collateField(
        records.map((record) => record[key]),
        path === "" ? key : `${path}.${key}`,
      ),
    ]),
  );
}

function stackTensors(tensors: readonly Tensor[], path: string): Tensor {
  const first = tensors[0];
  tensors.forEach((x, i) => {
    if (!sameShape(x.shape, first.shape)) {
      const cure = "Bring items to one shape, or give a collate function that pads.";
      throw new ShapeError("collate", `${where(path, i)} shape [${x.shape}], item 0 has [${first.shape}]. ${cure}`);
    }
    if (x.dtype !== first.dtype) {
      throw new ShapeError("collate", `${where(path, i)} dtype ${x.dtype}, item 0 has ${first.dtype}.`);
    }
  });
  return stack(tensors);
}

/** The values as what the first one is, or an error that names the one that differs. */
function allOf<T>(values: readonly unknown[], path: string, wanted: string, is: (value: unknown) => value is T): T[] {
  return values.map((value, i) => {
    if (is(value)) return value;
    throw new ShapeError("collate", `${where(path, i)} ${kindOf(value)}, item 0 has ${wanted}.`);
  });
}

function where(path: string, item: number): string {
  return path === "" ? `item ${item} has` : `field ${path} of item ${item} has`;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  return Array.isArray(value) ? "an array" : `a ${value.constructor?.name ?? "record"}`;
}

function isItemArray(value: unknown): value is ItemArray {
  return (
    value instanceof Float32Array ||
    value instanceof Float64Array ||
    value instanceof Int32Array ||
    value instanceof Uint8Array
  );
}

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;
const isNumber = (value: unknown): value is number => typeof value === "number";
const isBoolean = (value: unknown): value is boolean => typeof value === "boolean";
const isString = (value: unknown): value is string => typeof value === "string";
const isArray = (value: unknown): value is readonly unknown[] => Array.isArray(value);

/** Plain objects only: of a Map or a Date no batch can be made. */
function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

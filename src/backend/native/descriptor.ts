import type { View } from "../backend.ts";
import { dtypes } from "../dtype.ts";
import type { NativeAddon } from "./addon.ts";

/** The most axes a view may have to be written; beyond, the js backend does the work. */
export const MAX_RANK = 16;

/** The most views of one kind in one call. */
export const MAX_VIEWS = 32;

/** Numbers of a view, at most. */
const VIEW_NUMBERS = 5 + 2 * MAX_RANK;

/**
 * The array through which a call's arguments travel, one for each JavaScript thread: writing numbers costs nanoseconds,
 * passing objects would cost microseconds. The layout is described in `native/src/addon.cc`.
 */
export class Descriptor {
  private readonly _addon: NativeAddon;
  private _numbers = new Float64Array(4096);
  private _length = 0;

  constructor(addon: NativeAddon) {
    this._addon = addon;
    addon.setDescriptor(this._numbers);
  }

  /** Starts anew, with room for `numbers` numbers and `views` views. */
  start(numbers: number, views: number): void {
    this._length = 0;
    const needed = numbers + views * VIEW_NUMBERS;
    if (needed > this._numbers.length) {
      this._numbers = new Float64Array(2 * needed);
      this._addon.setDescriptor(this._numbers);
    }
  }

  add(value: number): void {
    this._numbers[this._length++] = value;
  }

  /** Whole numbers: shapes, strides, codes. Never fractions: see {@link addNumbers}. */
  addSizes(sizes: readonly number[]): void {
    for (let i = 0; i < sizes.length; i++) this._numbers[this._length++] = sizes[i];
  }

  /**
   * Numbers of any kind. A loop apart from {@link addSizes}: where one loop reads arrays of small integers and arrays of
   * doubles, V8 turns the former into the latter, and all code that reads shapes would be compiled anew.
   */
  addNumbers(numbers: readonly number[]): void {
    for (let i = 0; i < numbers.length; i++) this._numbers[this._length++] = numbers[i];
  }

  addView({ storage, shape, strides, offset, dtype }: View): void {
    const numbers = this._numbers;
    const rank = shape.length;
    let at = this._length;
    numbers[at] = storage.address;
    numbers[at + 1] = storage.byteLength;
    numbers[at + 2] = offset;
    numbers[at + 3] = dtypes[dtype].code;
    numbers[at + 4] = rank;
    at += 5;
    for (let i = 0; i < rank; i++) numbers[at + i] = shape[i];
    at += rank;
    for (let i = 0; i < rank; i++) numbers[at + i] = strides[i];
    this._length = at + rank;
  }

  addViews(views: readonly View[]): void {
    for (let i = 0; i < views.length; i++) this.addView(views[i]);
  }
}

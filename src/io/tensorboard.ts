import { createFile, type FileWriter, hostName } from "#platform";
import { ArgumentError, DataError } from "../backend/errors.ts";
import { CRC32C, crc } from "./crc32.ts";
import { encodePng } from "./png.ts";
import { bytesField, doubleField, doublesField, floatField, integerField, message } from "./protobuf.ts";

/** Pending bytes from which writing begins by itself. */
const writeFrom = 65_536;
const histogramBins = 64;

/**
 * A TensorBoard event file: numbers, histograms and images over the steps of a run.
 *
 * Methods return at once and writing goes on behind them; await `flush` to have everything so far in the file.
 * A writing error is thrown by the next `flush` or `close`.
 *
 * @see https://github.com/tensorflow/tensorboard (event.proto, summary.proto). Differs: histograms have 64 bins of
 * equal width between their extremes.
 * @example
 * const events = await EventFile.open("runs/first");
 * events.scalar("loss/train", 0.25, 100);
 * await events.close();
 */
export class EventFile {
  /** Where the file is. */
  readonly path: string;
  readonly #file: FileWriter;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #writing: Promise<void> = Promise.resolve();
  #failure: unknown;
  #isClosed = false;

  private constructor(path: string, file: FileWriter) {
    this.path = path;
    this.#file = file;
    this.#event(Date.now() / 1000, 0, bytesField(3, "brain.Event:2"));
  }

  /** Begins a new event file in a folder, which is made when missing; runs are compared by folder. */
  static async open(folder: string): Promise<EventFile> {
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, "0");
    const name = `${folder}/events.out.tfevents.${seconds}.${hostName()}`;
    for (let attempt = 0; attempt < 1000; attempt++) {
      const path = attempt === 0 ? name : `${name}.${attempt}`;
      const file = await createFile(path);
      if (file) return new EventFile(path, file);
    }
    throw new DataError("EventFile.open", `"${name}" and 999 names like it exist. Choose another folder.`);
  }

  /**
   * Records a number.
   *
   * @param tag - Name of the chart; `/` groups charts.
   * @param step - Place on the horizontal axis, a whole number of 0 or more.
   * @param wallTime - Time in seconds since 1970. Default now.
   * @throws {@link ArgumentError} when the tag is empty, the step no such number, or the file closed.
   */
  scalar(tag: string, value: number, step: number, wallTime: number = Date.now() / 1000): void {
    this.#summary("scalar", tag, floatField(2, value), step, wallTime);
  }

  /**
   * Records how values are distributed; values that are not finite are left out.
   *
   * @throws {@link ArgumentError} as {@link EventFile.scalar}.
   */
  histogram(tag: string, values: ArrayLike<number>, step: number, wallTime: number = Date.now() / 1000): void {
    this.#summary("histogram", tag, bytesField(5, histogramMessage(values)), step, wallTime);
  }

  /**
   * Records an image.
   *
   * Shapes: pixels `[height, width, channels]`, bytes; channels is 1 (grey), 3 (RGB) or 4 (RGBA).
   *
   * @throws {@link ShapeError} when the number of bytes does not fit the shape.
   * @throws {@link ArgumentError} as {@link EventFile.scalar}.
   */
  image(
    tag: string,
    pixels: Uint8Array,
    shape: readonly [height: number, width: number, channels: number],
    step: number,
    wallTime: number = Date.now() / 1000,
  ): void {
    const [height, width, channels] = shape;
    const png = encodePng(pixels, width, height, channels);
    const image = message(
      integerField(1, height),
      integerField(2, width),
      integerField(3, channels),
      bytesField(4, png),
    );
    this.#summary("image", tag, bytesField(4, image), step, wallTime);
  }

  /** Waits until everything recorded so far is written. Rejects with the error of an earlier write. */
  async flush(): Promise<void> {
    this.#write();
    await this.#writing;
    if (this.#failure !== undefined) {
      throw new DataError("EventFile.flush", `could not write "${this.path}": ${String(this.#failure)}.`, {
        cause: this.#failure,
      });
    }
  }

  /** Writes what is left and closes the file; closing twice does nothing. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      await this.flush();
    } finally {
      await this.#file.close();
    }
  }

  #summary(operation: string, tag: string, value: Uint8Array, step: number, wallTime: number): void {
    const name = `EventFile.${operation}`;
    if (tag === "") throw new ArgumentError(name, "tag is empty. Give the chart a name.");
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new ArgumentError(name, `step must be a whole number of 0 or more, got ${step}.`);
    }
    if (this.#isClosed) throw new ArgumentError(name, `"${this.path}" is closed. Open another event file.`);
    this.#event(wallTime, step, bytesField(5, bytesField(1, message(bytesField(1, tag), value))));
  }

  #event(wallTime: number, step: number, what: Uint8Array): void {
    const record = frameRecord(message(doubleField(1, wallTime), integerField(2, step), what));
    this.#pending.push(record);
    this.#pendingBytes += record.length;
    if (this.#pendingBytes >= writeFrom) this.#write();
  }

  /** Queues the pending bytes behind the write under way; never rejects, so that nobody has to listen. */
  #write(): void {
    if (this.#pending.length === 0) return;
    const bytes = message(...this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#writing = this.#writing.then(async () => {
      if (this.#failure !== undefined) return; // a hole in the file would hide all that follows
      try {
        await this.#file.write(bytes);
      } catch (error) {
        this.#failure = error;
      }
    });
  }
}

/**
 * A TFRecord: length, its checksum, the data, its checksum, all little-endian.
 *
 * @see https://www.tensorflow.org/tutorials/load_data/tfrecord
 */
export function frameRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16);
  const view = new DataView(record.buffer);
  view.setUint32(0, data.length, true); // the upper half of the 64-bit length stays 0
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return record;
}

/** CRC-32C, rotated and shifted so that checksums of data that holds checksums stay good ones. */
function maskedCrc(bytes: Uint8Array): number {
  const c = crc(CRC32C, bytes);
  return (((c >>> 15) | (c << 17)) + 0xa282ead8) >>> 0;
}

function histogramMessage(values: ArrayLike<number>): Uint8Array {
  const finite = Float64Array.from(values).filter(Number.isFinite);
  let [min, max, sum, squares] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0];
  for (const v of finite) {
    min = Math.min(min, v);
    max = Math.max(max, v);
    sum += v;
    squares += v * v;
  }
  if (finite.length === 0) [min, max] = [0, 0];
  const bins = min < max ? histogramBins : 1;
  const counts = new Float64Array(bins);
  // Parts of the extremes, not of their difference, which may overflow.
  const width = max / bins - min / bins;
  for (const v of finite) counts[Math.min(bins - 1, Math.floor(v / width - min / width) || 0)]++;
  const limits = Float64Array.from(counts, (_, i) => min * (1 - (i + 1) / bins) + max * ((i + 1) / bins));
  return message(
    doubleField(1, min),
    doubleField(2, max),
    doubleField(3, finite.length),
    doubleField(4, sum),
    doubleField(5, squares),
    doublesField(6, limits),
    doublesField(7, counts),
  );
}

import type { Options, SingleBar } from "cli-progress";
import { terminal, warn } from "#platform";
import { ArgumentError } from "../../backend/errors.ts";

/** What a bar is drawn on: a Node stream, which is drawn on when it is a terminal. */
export interface TerminalStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** How a progress bar looks. */
export interface ProgressOptions {
  /** Number that means done, such as the batches of an epoch; 0 or more. */
  total: number;
  /** Text before the bar. Default none. */
  label?: string;
  /** Leave the full bar on the screen after `stop`, instead of clearing its line. Default false. */
  keep?: boolean;
  /** Where to draw. Default stderr; nothing is drawn on a stream that is not a terminal. */
  stream?: TerminalStream;
}

/** A progress bar; every method does nothing where there is no terminal. */
export interface Progress {
  /** Whether anything is drawn. */
  readonly isShown: boolean;
  /** Sets how much is done and the numbers shown behind the bar; cheap enough to call on every step. */
  update(done: number, values?: Readonly<Record<string, number>>): void;
  /** Takes the bar off the screen; more calls do nothing. */
  stop(): void;
}

/** At most this often the bar is drawn. */
const drawMs = 100;
/** At most this many updates pass between two looks at the clock. */
const largestStride = 32;
const hidden: Progress = { isShown: false, update: () => undefined, stop: () => undefined };

/**
 * Starts a progress bar on the terminal.
 *
 * A bar that is never stopped does not keep the process alive. Without a terminal, or without the optional package
 * `cli-progress` (one warning says so), nothing is drawn: a missing bar is no reason to stop a training.
 *
 * @throws {@link ArgumentError} when `total` is not a number of 0 or more.
 * @example
 * const bar = await startProgress({ total: 782, label: "epoch 1" });
 * bar.update(10, { loss: 0.123 });
 * bar.stop();
 */
export async function startProgress(options: ProgressOptions): Promise<Progress> {
  const { total, label = "", keep = false, stream = terminal() } = options;
  if (!(total >= 0 && Number.isFinite(total))) {
    throw new ArgumentError("startProgress", `total must be a number of 0 or more, got ${total}.`);
  }
  if (!stream || !isTerminal(stream)) return hidden;
  const bar = await loadBar({
    stream,
    format: `${label && `${label} `}{bar} {value}/{total} {eta_formatted}{values}`,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    barsize: 30,
    linewrap: null, // leaves the terminal as it is, so there is nothing to restore after a crash
    clearOnComplete: !keep,
    fps: 1000 / drawMs,
  });
  if (!bar) return hidden;
  bar.start(total, 0, { values: "" });
  return new ThrottledProgress(bar);
}

/** Hands on an update per tenth of a second and drops the rest, looking at the clock only every few calls. */
class ThrottledProgress implements Progress {
  readonly isShown = true;
  readonly #bar: SingleBar;
  #done = 0;
  #values: Readonly<Record<string, number>> | undefined;
  #stride = 1;
  #untilLook = 1;
  #lastLook = performance.now();
  #lastDraw = this.#lastLook;

  constructor(bar: SingleBar) {
    this.#bar = bar;
  }

  update(done: number, values?: Readonly<Record<string, number>>): void {
    this.#done = done;
    this.#values = values;
    if (--this.#untilLook > 0) return;
    const now = performance.now();
    const isFast = now - this.#lastLook < drawMs / 10;
    this.#stride = isFast ? Math.min(largestStride, this.#stride * 2) : 1;
    this.#untilLook = this.#stride;
    this.#lastLook = now;
    if (now - this.#lastDraw < drawMs) return;
    this.#lastDraw = now;
    this.#draw();
  }

  stop(): void {
    this.#draw();
    this.#bar.stop();
  }

  #draw(): void {
    const values = Object.entries(this.#values ?? {}).map(([name, value]) => `  ${name} ${value.toPrecision(4)}`);
    this.#bar.update(this.#done, { values: values.join("") });
  }
}

let missingWasReported = false;

/** Node's terminals are streams, of which a caller need only show the part above. */
function isTerminal(stream: TerminalStream | NodeJS.WritableStream): stream is NonNullable<Options["stream"]> {
  return "isTTY" in stream && stream.isTTY === true;
}

async function loadBar(options: Options): Promise<SingleBar | undefined> {
  try {
    const { default: cliProgress } = await import("cli-progress");
    return new (unreferenced(cliProgress.SingleBar))(options);
  } catch {
    if (!missingWasReported) warn("kindling: no progress bar. To see one: npm install cli-progress");
    missingWasReported = true;
    return undefined;
  }
}

/** A bar whose redraw timer lets the process end. */
function unreferenced(Bar: typeof SingleBar): typeof SingleBar {
  return class extends Bar {
    declare timer: { unref?(): void } | null;
    override render(): void {
      super.render();
      this.timer?.unref?.();
    }
  };
}

/** The JavaScript peers' side of the protocol (see pytorch.py): a JSON line in, one out on channel 3, asleep in between. */
import { readFileSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";

/**
 * Answers requests until the input ends.
 * `kinds` maps a kind of work to a function of it that returns `{ parameters?, once(), finish?() }`, or
 * `{ run(limitSeconds) }` for a job, or `{ unsupported: reason }`.
 */
export async function serve(hello, kinds) {
  say({ hello, threads: 1 });
  let current;
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    try {
      if (request.prepare) {
        await current?.dispose?.();
        current = undefined;
        const { prepare: work } = request;
        const kind = kinds[work.kind];
        if (kind === undefined) {
          say({ unsupported: "compared with PyTorch only" });
          continue;
        }
        current = await kind(work);
        if (current.unsupported) say(current);
        else say({ parameters: current.parameters ?? 0 });
      } else {
        const result = current.run
          ? await current.run(request.limit, request.seed)
          : await repeat(current, request.run);
        say({ ...result, peakMB: peakMegabytes() });
      }
    } catch (error) {
      say({ error: String(error instanceof Error ? error.message : error).slice(0, 400) });
    }
  }
}

async function repeat(current, steps) {
  const start = performance.now();
  for (let i = 0; i < steps; i++) {
    const pending = current.once();
    if (pending) await pending;
  }
  const extra = await current.finish?.();
  return { seconds: (performance.now() - start) / 1e3, ...extra };
}

/**
 * Runs `steps` steps, or as many as fit in `limit` seconds; `share` says how far it came, so that the whole can be told.
 * `each(i)` does a step; `settled` is where the first reading of memory is taken.
 */
export async function boundedLoop(steps, limit, settled, each, finish) {
  const start = performance.now();
  let settledMB = peakMegabytes();
  let done = 0;
  while (done < steps && (performance.now() - start) / 1e3 < limit) {
    const pending = each(done);
    if (pending) await pending;
    done++;
    if (done === settled) settledMB = peakMegabytes();
  }
  const extra = await finish?.();
  const seconds = (performance.now() - start) / 1e3;
  return { seconds, share: done / steps, settledMB, endMB: peakMegabytes(), ...extra };
}

/** Peak resident memory of this process in MB. */
export function peakMegabytes() {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))[1]) / 1024;
  } catch {
    return process.resourceUsage().maxRSS / 1024;
  }
}

/** Uniform numbers from `low` to `high`. */
export function uniform(length, low = 0, high = 1) {
  return Float32Array.from({ length }, () => low + (high - low) * Math.random());
}

/** Class numbers 0 to 9. */
export function labels(length) {
  return Int32Array.from({ length }, () => Math.floor(Math.random() * 10));
}

/** MNIST's training files as pixels 0 to 1 and labels. */
export function mnist(folder) {
  const bytes = readFileSync(`${folder}/train-images-idx3-ubyte`).subarray(16);
  return {
    x: Float32Array.from(bytes, (pixel) => pixel / 255),
    y: Int32Array.from(readFileSync(`${folder}/train-labels-idx1-ubyte`).subarray(8)),
  };
}

/** A permutation of `0 … n − 1`. */
export function permutation(n) {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(Math.random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

/**
 * The batches of an epoch, in index form: `order` cut into pieces, their rows copied out.
 * Copying rows in JavaScript is faster here than either peer's gather.
 */
export function* slices(x, y, order, size) {
  const width = x.length / y.length;
  for (let start = 0; start < order.length; start += size) {
    const rows = order.subarray(start, start + size);
    const xb = new Float32Array(rows.length * width);
    const yb = new Int32Array(rows.length);
    rows.forEach((row, i) => {
      xb.set(x.subarray(row * width, (row + 1) * width), i * width);
      yb[i] = y[row];
    });
    yield { xb, yb, n: rows.length };
  }
}

function say(answer) {
  writeSync(3, `${JSON.stringify(answer)}\n`);
}

/** What every kind of work looks like to the protocol. */
import { readFileSync } from "node:fs";

export interface Result {
  readonly seconds: number;
  readonly steps?: number;
  readonly loss?: number;
  readonly accuracy?: number;
  readonly settledMB?: number;
  readonly endMB?: number;
}

export interface Prepared {
  /** Numbers the optimizer changes; 0 where there is no model. */
  readonly parameters: number;
  /** `seed` is for work whose outcome, not only its time, is reported. */
  run(steps: number, seed: number): Result | Promise<Result>;
}

/** Work that is one function called again and again. */
export function repeated(once: () => void, parameters = 0): Prepared {
  return {
    parameters,
    run(steps) {
      const start = performance.now();
      for (let i = 0; i < steps; i++) once();
      return { seconds: secondsSince(start) };
    },
  };
}

export function secondsSince(start: number): number {
  return (performance.now() - start) / 1e3;
}

/** Peak resident memory of this process in MB; VmHWM, because maxRSS counts the parent before exec. */
export function peakMegabytes(): number {
  try {
    const kilobytes = /VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1];
    if (kilobytes !== undefined) return Number(kilobytes) / 1024;
  } catch {
    // not Linux
  }
  return process.resourceUsage().maxRSS / 1024;
}

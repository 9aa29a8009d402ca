import type { Backend } from "../backend.ts";
import { ArgumentError } from "../errors.ts";
import { createJsBackend } from "../js/js.ts";
import type { NativeAddon } from "./addon.ts";
import { loadNativeAddon } from "./load.ts";
import { NativeBackend } from "./nativeBackend.ts";

let addon: NativeAddon | { readonly reason: string } | undefined;
let backend: NativeBackend | undefined;

/** The backend on the compiled addon, one for each JavaScript thread; where it cannot be had, the reason. */
export function loadNativeBackend(): Backend | { readonly reason: string } {
  addon ??= loadNativeAddon();
  if ("reason" in addon) return addon;
  backend ??= new NativeBackend(addon, createJsBackend());
  return backend;
}

/**
 * Sets how many threads the native backend uses for work started from this JavaScript thread. Default: one for each core
 * (`OMP_NUM_THREADS` overrides it). Results are the same to the bit for one thread and two; with more, matrix products may
 * differ in the last bits. Without the native backend it does nothing.
 *
 * @throws {@link ArgumentError} when `count` is not a whole number from 1 to 1024.
 */
export function setThreadCount(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > 1024) {
    throw new ArgumentError("setThreadCount", `the count must be a whole number from 1 to 1024, got ${count}.`);
  }
  loadNativeBackend();
  if (addon !== undefined && !("reason" in addon)) addon.setThreads(count);
}

/** How many threads the native backend uses; 1 without it. */
export function threadCount(): number {
  loadNativeBackend();
  return addon === undefined || "reason" in addon ? 1 : addon.setThreads(0);
}

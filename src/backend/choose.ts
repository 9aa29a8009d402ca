import type { Backend } from "./backend.ts";
import { DeviceError } from "./errors.ts";
import { createJsBackend } from "./js/js.ts";

let js: Backend | undefined;

/** The backend new tensors are made on. */
export function defaultBackend(): Backend {
  js ??= createJsBackend();
  return js;
}

/** A backend by its name. */
export function backendByName(name: string): Backend {
  if (name === "js") return defaultBackend();
  throw new DeviceError("device", `unknown device "${name}".`);
}

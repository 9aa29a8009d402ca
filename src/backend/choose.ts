import { environment, warn } from "#platform";
import type { Backend } from "./backend.ts";
import { DeviceError } from "./errors.ts";
import { createJsBackend } from "./js/js.ts";
import { loadNativeBackend } from "./native/native.ts";

const backends = new Map<string, Backend>();
let chosen: Backend | undefined;

/**
 * The backend tensors live on unless told otherwise: `native` where its addon loads, else `js` with one line on stderr
 * saying why. The environment variable `KINDLING_BACKEND` (`js` or `native`) forces one.
 *
 * @throws {@link DeviceError} when `KINDLING_BACKEND` names no backend, or the one it names cannot be had.
 */
export function defaultBackend(): Backend {
  chosen ??= choose();
  return chosen;
}

/**
 * The backend called `name`: `js` or `native`; the same object each time.
 * @throws {@link DeviceError} when there is none of that name, or it cannot be had.
 */
export function backendByName(name: string): Backend {
  let backend = backends.get(name);
  if (backend === undefined) {
    backend = create(name);
    backends.set(name, backend);
  }
  return backend;
}

function choose(): Backend {
  const forced = environment("KINDLING_BACKEND");
  if (forced !== undefined) return backendByName(forced);
  const native = loadNativeBackend();
  if (!("reason" in native)) return backendByName("native");
  warn(
    `kindling: using the js backend, many times slower than native: ${native.reason}. "npm run setup" builds native.`,
  );
  return backendByName("js");
}

function create(name: string): Backend {
  if (name === "js") return createJsBackend();
  if (name !== "native") {
    throw new DeviceError("backend", `there is no backend "${name}". Known: js, native.`);
  }
  const native = loadNativeBackend();
  if ("reason" in native) {
    throw new DeviceError("backend", `native cannot be had: ${native.reason}. "npm run setup" builds it.`);
  }
  return native;
}

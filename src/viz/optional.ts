import { KindlingError } from "../backend/errors.ts";

/**
 * Loads an optional package on first use.
 *
 * @throws {@link KindlingError} naming the packages to install when it cannot be loaded.
 */
export async function optional<T>(operation: string, packages: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new KindlingError(operation, `could not load ${packages} (${reason}). Install: npm install ${packages}`, {
      cause,
    });
  }
}

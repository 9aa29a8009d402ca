import { backendByName } from "../../src/backend/choose.ts";
import { KindlingError } from "../../src/backend/errors.ts";

/** Every backend that works here: `js` always, the others when they load. */
export const devices: readonly string[] = ["js", ...["native"].filter(loads)];

/** The backends to compare with `js`. */
export const otherDevices: readonly string[] = devices.filter((device) => device !== "js");

function loads(name: string): boolean {
  try {
    return backendByName(name).name === name;
  } catch (error) {
    if (error instanceof KindlingError) return false;
    throw error;
  }
}

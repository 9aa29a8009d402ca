import { environment, loadAddon, platformName } from "#platform";
import { asAddon, type NativeAddon } from "./addon.ts";

/**
 * Finds and loads the addon: the file that `KINDLING_ADDON` names, else the prebuilt package of this platform, else what
 * was built in this checkout. Where there is none, says why.
 */
export function loadNativeAddon(): NativeAddon | { readonly reason: string } {
  const named = environment("KINDLING_ADDON");
  // The same distance from src/backend/native and from dist/backend/native.
  const local = new URL("../../../native/build/Release/kindling.node", import.meta.url).href;
  const candidates = named === undefined ? [`@kindling/native-${platformName()}`, local] : [named];
  const loaded = loadAddon(candidates);
  return "reason" in loaded ? loaded : asAddon(loaded.module);
}

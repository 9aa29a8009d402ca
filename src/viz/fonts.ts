import { warn } from "#platform";
import { fontFamily } from "./theme.ts";

const sample = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20"><text y="15" font-family="${fontFamily}">Mx</text></svg>`;

let wasChecked = false;

/**
 * The reason and the cure when a renderer cannot show text, or undefined when it can.
 *
 * The PNG renderer takes any font of the machine when it has none of the wanted ones, but leaves text out without a
 * word where there is no font at all, as in small containers.
 *
 * @param isVisible - Whether drawing an SVG document leaves any mark.
 */
export function fontWarning(isVisible: (svg: string) => boolean): string | undefined {
  if (isVisible(sample)) return undefined;
  return (
    "kindling: no font found on this machine, so PNG figures have no text. " +
    "Install one (Debian, Ubuntu: apt-get install fonts-dejavu-core) or save as .svg."
  );
}

/** Prints {@link fontWarning} the first time a figure is drawn. */
export function warnOnceWithoutFont(isVisible: (svg: string) => boolean): void {
  if (wasChecked) return;
  wasChecked = true;
  const warning = fontWarning(isVisible);
  if (warning) warn(warning);
}

import type { TopLevelSpec } from "vega-lite";
import { Figure } from "../figure.ts";

/** A figure whose specification the compiler has checked. */
export function checked(spec: TopLevelSpec): Figure {
  return new Figure(spec);
}

import { describe, test } from "vitest";
import { devices } from "./devices.ts";
import { checkCase, type GoldenCase, loadGolden } from "./golden.ts";

const families = ["elementwise", "reduce", "movement", "matrix", "indexing"];

describe.each(devices)("%s gives what PyTorch gives:", (device) => {
  describe.each(families)("%s", (family) => {
    const cases = loadGolden(family);
    for (const op of new Set(cases.map((golden) => golden.op))) {
      const own = cases.filter((golden) => golden.op === op);
      test(op, () => checkAll(own, device));
    }
  });
});

/** Checks all cases and reports all that fail, since one wrong rule often shows in a pattern. */
function checkAll(cases: readonly GoldenCase[], device: string): void {
  const failures: string[] = [];
  for (const golden of cases) {
    try {
      checkCase(golden, device);
    } catch (error) {
      const inputs = golden.inputs.map(
        ({ dtype, shape, view }) => `${dtype} [${shape}]${view.length > 0 ? JSON.stringify(view) : ""}`,
      );
      failures.push(
        `${golden.op}(${inputs.join(", ")}; ${JSON.stringify(golden.args)}): ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
  if (failures.length > 0)
    throw new Error(`${failures.length} of ${cases.length} cases fail\n${failures.slice(0, 20).join("\n")}`);
}

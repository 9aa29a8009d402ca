import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { canCompile } from "./compile.ts";

test("code can be made from strings here", () => {
  expect(canCompile()).toBe(true);
});

test("where it cannot, kernels are interpreted", () => {
  const script = `
    import { createJsBackend } from ${JSON.stringify(new URL("./js.ts", import.meta.url).href)};
    import { canCompile } from ${JSON.stringify(new URL("./compile.ts", import.meta.url).href)};
    import { call, input, Kernel } from ${JSON.stringify(new URL("../expr.ts", import.meta.url).href)};
    const backend = createJsBackend();
    const view = { storage: backend.allocate(12), shape: [3], strides: [1], offset: 0, dtype: "float32" };
    view.storage.elements("float32").set([1, 2, 3]);
    backend.map(new Kernel([call("mul", input(0), 2)], 1), [view], [view], []);
    console.log(canCompile(), [...view.storage.elements("float32").subarray(0, 3)].join());
  `;
  const flags = ["--disallow-code-generation-from-strings", "--conditions=@kindling/source", "--import", "tsx"];
  const output = execFileSync(process.execPath, [...flags, "--input-type=module", "--eval", script], {
    cwd: fileURLToPath(new URL(".", import.meta.url)),
    encoding: "utf8",
  });
  expect(output.trim()).toBe("false 2,4,6");
});

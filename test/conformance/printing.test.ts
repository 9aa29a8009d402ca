import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import type { DType } from "../../src/backend/dtype.ts";
import { tensor } from "../../src/tensor/index.ts";
import { build, type Stored } from "./golden.ts";

interface Printed {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: readonly Stored[];
  readonly text: string;
}

const cases: Printed[] = JSON.parse(readFileSync(new URL("../golden/printing.json", import.meta.url), "utf8"));

describe("tensors print as PyTorch prints them:", () => {
  for (const printed of cases) {
    const few = printed.data.slice(0, 6).join(", ");
    test(`${printed.dtype} [${printed.shape}] ${few}`, () => {
      expect(build(printed, "js").toString()).toBe(printed.text.replace(/size=\(([^)]*)\)/, "shape=[$1]"));
    });
  }

  test("views, other dtypes and the tape", () => {
    const x = tensor([1, 2, 3, 4], { shape: [2, 2], requiresGrad: true });
    expect(x.toString()).toBe("tensor([[1., 2.],\n        [3., 4.]], requiresGrad=true)");
    expect(inspect(x.transpose(0, 1).detach())).toBe("tensor([[1., 3.],\n        [2., 4.]])");
    expect(x.mul(2).sum().toString()).toBe("tensor(20., gradFn=<sum>)");
    expect(tensor([1, 2], { dtype: "uint8" }).toString()).toBe("tensor([1, 2], dtype=uint8)");
    expect(tensor([1, 0.5], { dtype: "bfloat16" }).toString()).toBe("tensor([1.0000, 0.5000], dtype=bfloat16)");
  });
});

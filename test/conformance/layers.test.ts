import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { noGrad, type Tensor, tensor, zeros } from "../../src/tensor/index.ts";
import { expectClose } from "../close.ts";
import { devices } from "./devices.ts";
import { values } from "./images.ts";
import { buildLayer, fill, type LayerSetting } from "./layers.ts";

interface LayerCase {
  readonly layer: string;
  readonly args: readonly unknown[];
  readonly inputs: readonly (readonly number[])[];
  readonly whole?: { readonly shape: readonly number[]; readonly data: readonly number[] };
  readonly batches: number;
  readonly shape: readonly number[];
  readonly result: readonly number[];
  readonly gradients: readonly (readonly number[] | null)[];
  readonly keys: readonly string[];
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  readonly buffers: Readonly<Record<string, readonly number[]>>;
  readonly inUse: readonly number[];
}

const cases: LayerCase[] = JSON.parse(readFileSync(new URL("../golden/layers.json", import.meta.url), "utf8"));

function inputsOf({ inputs, whole }: LayerCase, setting: LayerSetting): Tensor[] {
  if (whole !== undefined) {
    return [tensor(Int32Array.from(whole.data), { shape: whole.shape, dtype: "int32", device: setting.device })];
  }
  return inputs.map((shape, k) => {
    const x = values(shape, k + 1, setting);
    x.requiresGrad = true;
    return x;
  });
}

describe.each(devices)("layers on %s compute as PyTorch's:", (device) => {
  test.each(
    cases.map(
      (golden) =>
        [
          `${golden.layer} ${JSON.stringify(golden.args).slice(1, -1)} of [${golden.inputs[0] ?? golden.whole?.shape}]`,
          golden,
        ] as const,
    ),
  )("%s", (_, golden) => {
    for (const dtype of ["float32", "float64"] as const) {
      const setting = { device, dtype };
      const tolerance = dtype === "float64" ? { rtol: 1e-7, atol: 1e-8 } : { rtol: 1e-4, atol: 2e-5 };
      const { module, run } = buildLayer(golden.layer, golden.args, setting);
      module.to(device).to(dtype);
      expect([...module.stateDict().keys()]).toEqual(golden.keys);
      fill(module, setting);
      for (let batch = 0; batch < golden.batches; batch++) {
        run([values(golden.inputs[0], 40 + batch, setting).mul(1 + batch)]);
      }
      const inputs = inputsOf(golden, setting);
      const y = run(inputs);
      expect(y.shape).toEqual(golden.shape);
      expectClose(y, golden.result, tolerance);
      y.mul(values(y.shape, 9, setting))
        .sum()
        .backward();
      inputs.forEach((x, i) => {
        const wanted = golden.gradients[i];
        if (wanted !== null) expectClose(x.grad ?? zeros(x.shape, setting), wanted, tolerance);
      });
      const parameters = [...module.namedParameters()];
      expect(parameters.map(([key]) => key)).toEqual(Object.keys(golden.parameters));
      for (const [key, p] of parameters)
        expectClose(p.grad ?? zeros(p.shape, setting), golden.parameters[key], tolerance);
      const buffers = [...module.namedBuffers()];
      expect(buffers.map(([key]) => key)).toEqual(Object.keys(golden.buffers));
      for (const [key, x] of buffers) expectClose(x, golden.buffers[key], tolerance);
      module.eval();
      expectClose(
        noGrad(() => run(inputs)),
        golden.inUse,
        tolerance,
      );
      for (const [key, x] of module.namedBuffers()) expectClose(x, golden.buffers[key], tolerance); // use records nothing
    }
  });
});

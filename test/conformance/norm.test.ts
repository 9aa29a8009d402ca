import { describe, expect, test } from "vitest";
import { noGrad, ones, randn, type Tensor, zeros } from "../../src/tensor/index.ts";
import { type AffineOptions, batchNorm, groupNorm, instanceNorm, layerNorm } from "../../src/tensor/norm.ts";
import { expectClose } from "../close.ts";
import { devices } from "./devices.ts";
import { checkResult, checkSecondGradients, type ImageCase, inputsOf, loadCases, settings, values } from "./images.ts";

interface NormCase extends ImageCase {
  readonly options: {
    readonly eps?: number;
    readonly normalizedShape?: number[];
    readonly groups?: number;
    readonly rectifier?: { readonly leak: number; readonly sub: number };
  };
}

interface RunningCase extends ImageCase {
  readonly options: { readonly momentum: number | null; readonly steps: number };
  readonly history: readonly { readonly mean: number[]; readonly var: number[]; readonly result: number[] }[];
}

const [relu, leaky] = [
  { leak: 0, sub: 0 },
  { leak: 0.1, sub: 0.4 },
];
const cases = loadCases("norm", (golden): golden is NormCase => !("history" in golden));
const runningCases = loadCases("norm", (golden): golden is RunningCase => "history" in golden);

function run({ op, options }: NormCase, x: Tensor, affine: AffineOptions): Tensor {
  const { eps, normalizedShape = [], groups = 1, rectifier } = options;
  const named = eps === undefined ? affine : { ...affine, eps };
  if (op === "batchNorm") return batchNorm(x, { ...named, training: true, rectifier });
  if (op === "layerNorm") return layerNorm(x, normalizedShape, named);
  return op === "groupNorm" ? groupNorm(x, groups, named) : instanceNorm(x, named);
}

describe.each(devices)("%s normalises as PyTorch:", (device) => {
  test.each(
    cases.map((golden) => [`${golden.op} of [${golden.inputs[0]}] ${JSON.stringify(golden.options)}`, golden] as const),
  )("%s", (_, golden) => {
    for (const setting of settings) {
      const inputs = inputsOf(golden, { device, ...setting });
      const [x, weight, bias] = inputs;
      if (x === undefined) throw new Error("a case needs an input");
      checkResult(golden, { device, ...setting }, inputs, run(golden, x, { weight, bias }));
    }
  });

  test.each(runningCases.map((golden) => [golden.op, golden.inputs[0], golden.options.momentum, golden] as const))(
    "%s of [%s] over several batches with momentum %s, then in use",
    (op, shape, momentum, golden) => {
      for (const setting of settings) {
        const inputs = inputsOf(golden, { device, ...setting });
        const [x, weight, bias] = inputs;
        if (x === undefined || shape === null) throw new Error("a case needs an input");
        const norm = op === "batchNorm" ? batchNorm : instanceNorm;
        const runningMean = zeros([shape[1]], { device, dtype: setting.dtype });
        const runningVar = ones([shape[1]], { device, dtype: setting.dtype });
        golden.history.forEach((wanted, step) => {
          const batch = values(shape, 10 + step, { device, dtype: setting.dtype }).mul(1 + step);
          const options = {
            weight,
            bias,
            runningMean,
            runningVar,
            training: true,
            momentum: momentum ?? 1 / (step + 1),
          };
          expectClose(
            noGrad(() => norm(batch, options)),
            wanted.result,
            { rtol: 1e-4, atol: 1e-5 },
          );
          expectClose(runningMean, wanted.mean, { rtol: 1e-5, atol: 1e-6 });
          expectClose(runningVar, wanted.var, { rtol: 1e-5, atol: 1e-6 });
        });
        const y = norm(x, { weight, bias, runningMean, runningVar, training: false });
        checkResult(golden, { device, ...setting }, inputs, y);
      }
    },
  );

  test("gradients of gradients equal finite differences", () => {
    const setting = { device, dtype: "float64" } as const;
    const [weight, bias] = [values([4], 2, setting), values([4], 3, setting)];
    const x = values([3, 4, 2, 2], 1, setting);
    checkSecondGradients((a, w, b) => batchNorm(a, { weight: w, bias: b, training: true }).square(), [x, weight, bias]);
    checkSecondGradients((a, w, b) => groupNorm(a, 2, { weight: w, bias: b }).square(), [x, weight, bias]);
    checkSecondGradients((a) => layerNorm(a, [2, 2]).square(), [x]);
    for (const rectifier of [relu, leaky]) {
      checkSecondGradients((a) => batchNorm(a, { training: true, rectifier, bias }).square(), [x]);
    }
  });

  test("a large mean does not swallow the variance", () => {
    const x = randn([64, 3, 4, 4], { device }).add(1000).contiguous({ memoryFormat: "channelsLast" });
    const y = noGrad(() => batchNorm(x, { training: true }));
    expectClose(y.var([0, 2, 3], { correction: 0 }), [1, 1, 1], { rtol: 1e-3 });
    expectClose(y.mean([0, 2, 3]), [0, 0, 0], { atol: 1e-3 });
  });

  test("what does not fit is refused", () => {
    const x = ones([2, 3, 4, 4], { device });
    expect(() => batchNorm(x)).toThrow("needs runningMean and runningVar");
    expect(() => batchNorm(ones([1, 3], { device }), { training: true })).toThrow("more than one element per channel");
    expect(() => batchNorm(x, { training: true, weight: ones([4], { device }) })).toThrow("it must be [3]");
    expect(() => batchNorm(x, { training: true, runningMean: ones([3], { device }) })).toThrow("go together");
    expect(() => groupNorm(x, 2)).toThrow("cannot be cut into 2 groups");
    expect(() => layerNorm(x, [4, 3])).toThrow("must end in [4,3]");
    expect(() => instanceNorm(ones([2, 3, 1], { device }))).toThrow("more than one spatial element");
  });
});

import { describe, it } from "vitest";
import { denseView, expectSame, forSeeds, js, missing, native, twin } from "../../../test/native/oracle.ts";
import { type DType, dtypes } from "../dtype.ts";
import { setThreadCount } from "./native.ts";

const allDTypes = Object.keys(dtypes).filter((name): name is DType => name in dtypes);

describe.skipIf(missing !== undefined)("native random", () => {
  it.each(["uniform", "normal", "integers", "bernoulli"] as const)("%s draws the bits that js draws", (kind) => {
    forSeeds(80, (choices) => {
      const key = {
        seed: choices.pick([0, 1, 42, 2 ** 32, 2 ** 53 - 1, choices.integer(0, 2 ** 50)]),
        stream: choices.pick([0, 1, 2 ** 32 - 1]),
        counter: choices.pick([0, 5, 2 ** 32 - 3, 2 ** 40]),
      };
      const [low, high] =
        kind === "integers"
          ? [-3, 200]
          : choices.pick([
              [0, 1],
              [-0.5, 0.3],
              [0.1, 0.7],
            ] as const);
      const dtype = choices.pick(allDTypes);
      const out = denseView(choices, choices.shape(3), dtype, () => 1);
      const expected = twin(out);
      js.random(kind, key, expected, low, high);
      native.random(kind, key, out, low, high);
      expectSame(out, expected);
    });
  });

  it("draws the same on one thread and on three", () => {
    const key = { seed: 9, stream: 3, counter: 7 };
    const draw = (threads: number) => {
      setThreadCount(threads);
      const storage = native.allocate(800_004);
      storage.elements("float32").fill(0);
      const view = { storage, shape: [200_001], strides: [1], offset: 0, dtype: "float32" as const };
      native.random("normal", key, view, 0, 1);
      return view;
    };
    const [one, three] = [draw(1), draw(3)];
    setThreadCount(2);
    expectSame(three, one);
    const expected = twin(one);
    js.random("normal", key, expected, 0, 1);
    expectSame(one, expected);
  });
});

import { expect, test } from "vitest";
import { nn, ones, Tensor } from "../index.ts";

const makeModel = (): nn.Sequential => new nn.Sequential(new nn.Linear(3, 2), new nn.ReLU(), new nn.Linear(2, 1));

test("one hook on several modules knows which it sees, and goes from all at once", () => {
  const model = makeModel();
  const seen: [number, string, readonly number[]][] = [];
  const hooks = new nn.Hooks(model.children(), (module, inputs, output, index) => {
    expect(inputs[0]).toBeInstanceOf(Tensor);
    if (output instanceof Tensor) seen.push([index, module.constructor.name, output.shape]);
  });
  model.forward(ones([4, 3]));
  expect(seen).toEqual([
    [0, "Linear", [4, 2]],
    [1, "ReLU", [4, 2]],
    [2, "Linear", [4, 1]],
  ]);
  hooks.remove();
  hooks.remove();
  model.forward(ones([4, 3]));
  expect(seen.length).toBe(3);
  expect(model.children().every((module) => !Object.hasOwn(module, "forward"))).toBe(true);
});

test("what the hook returns replaces the output", () => {
  const model = makeModel();
  const hooks = new nn.Hooks([model.at(2)], () => ones([7]));
  expect(hooks.use(() => model.forward(ones([4, 3]))).shape).toEqual([7]);
});

test("use takes the hooks off when the function is done, fails, or its promise settles", async () => {
  const model = makeModel();
  let calls = 0;
  const hook = (): void => {
    calls++;
  };
  const forward = (): Tensor => model.forward(ones([1, 3]));
  new nn.Hooks(model.children(), hook).use(forward);
  expect(() =>
    new nn.Hooks(model.children(), hook).use(() => {
      throw new Error("as it happens");
    }),
  ).toThrow("as it happens");
  forward();
  expect(calls).toBe(3);
  await new nn.Hooks(model.children(), hook).use(async () => {
    await Promise.resolve();
    forward();
  });
  expect(calls).toBe(6);
  const failing = new nn.Hooks(model.children(), hook).use(() => Promise.reject(new Error("later")));
  await expect(failing).rejects.toThrow("later");
  forward();
  expect(calls).toBe(6);
});

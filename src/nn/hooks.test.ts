import { expect, test } from "vitest";
import { ArgumentError } from "../backend/errors.ts";
import { ones, Tensor, tensor } from "../tensor/index.ts";
import { installHook } from "./hooks.ts";
import * as nn from "./index.ts";

const x = tensor([[1, 2]]);
const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

test("hooks run around forward in the order they were put there, and come off in any order", () => {
  const layer = new nn.ReLU();
  const seen: string[] = [];
  const handles = ["a", "b", "c"].flatMap((name) => [
    layer.registerForwardPreHook(() => void seen.push(`before ${name}`)),
    layer.registerForwardHook(() => void seen.push(`after ${name}`)),
  ]);
  layer.forward(x);
  expect(seen).toEqual(["before a", "before b", "before c", "after a", "after b", "after c"]);
  for (const i of [2, 0, 5]) handles[i].remove();
  seen.length = 0;
  layer.forward(x);
  expect(seen).toEqual(["before c", "after a", "after b"]);
  for (const handle of handles) handle.remove();
  for (const handle of handles) handle.remove();
  expect(Object.hasOwn(layer, "forward")).toBe(false);
});

test("hooks see module, inputs and output, and may replace them", () => {
  const layer = new nn.Sequential(new nn.ReLU());
  layer.registerForwardPreHook((_, [input]) => (isTensor(input) ? input.neg() : undefined));
  layer.registerForwardPreHook((_, [input]) => [isTensor(input) ? input.sub(1) : input]);
  expect(layer.forward(tensor([1, -3])).toArray()).toEqual([0, 2]);
  layer.registerForwardHook((module, inputs, output) => {
    expect(module).toBe(layer);
    expect(inputs).toHaveLength(1);
    return isTensor(output) ? output.mul(10) : undefined;
  });
  layer.registerForwardHook((_, __, output) => (isTensor(output) ? output.add(1) : undefined));
  expect(layer.forward(tensor([1, -3])).toArray()).toEqual([1, 21]);
});

test("a number that a hook happens to give replaces nothing; a promise is refused", () => {
  const layer = new nn.ReLU();
  const shapes: unknown[] = [];
  layer.registerForwardHook((_, __, output) => shapes.push(output));
  layer.registerForwardPreHook((_, inputs) => shapes.push(inputs));
  expect(layer.forward(x).toArray()).toEqual([[1, 2]]);
  layer.registerForwardHook(async () => undefined);
  expect(() => layer.forward(x)).toThrow(ArgumentError);
});

test("an error inside forward or a hook leaves the hooks as they were", () => {
  const layer = new nn.Linear(2, 1);
  let calls = 0;
  const counting = layer.registerForwardPreHook(() => void calls++);
  expect(() => layer.forward(ones([1, 3]))).toThrow("linear");
  const failing = layer.registerForwardHook(() => {
    throw new Error("the hook's own");
  });
  expect(() => layer.forward(x)).toThrow("the hook's own");
  failing.remove();
  layer.forward(x);
  expect(calls).toBe(3);
  counting.remove();
});

test("a hook may take itself off while it runs", () => {
  const layer = new nn.ReLU();
  let calls = 0;
  const once = layer.registerForwardHook(() => {
    calls++;
    once.remove();
  });
  layer.registerForwardHook(() => void calls++);
  layer.forward(x);
  layer.forward(x);
  expect(calls).toBe(3);
});

test("a forward that is an instance's own comes back when its hooks are gone", () => {
  class Own extends nn.Module {
    override forward = (input: Tensor): Tensor => input.mul(2);
  }
  const layer = new Own();
  const own = layer.forward;
  const handle = layer.registerForwardHook((_, __, output) => (isTensor(output) ? output.add(1) : undefined));
  expect(layer.forward(x).toArray()).toEqual([[3, 5]]);
  handle.remove();
  handle.remove();
  expect(layer.forward).toBe(own);
  layer.registerForwardHook(() => undefined).remove();
  layer.forward = (input) => input;
  expect(layer.forward(x)).toBe(x);
});

test("many hooks put on and taken off in turn leave nothing behind", () => {
  const layer = new nn.Identity();
  let last = layer.registerForwardHook(() => undefined);
  for (let i = 0; i < 20_000; i++) {
    const next = layer.registerForwardHook(() => undefined);
    last.remove();
    last = next;
  }
  expect(layer.forward(x)).toBe(x); // a chain of 20,000 calls would not fit on the stack
});

test("backward hooks see the gradient of the output, and may replace it", () => {
  const model = new nn.Sequential(new nn.Linear(2, 1, { bias: false }), new nn.Tanh());
  const seen: string[] = [];
  model.at(0).registerBackwardHook((module, gradient) => {
    seen.push(`${module.constructor.name} [${gradient.shape}]`);
    return gradient.mul(0);
  });
  const handle = model.registerBackwardHook((module) => void seen.push(module.constructor.name));
  model.forward(x).sum().backward();
  expect(seen).toEqual(["Sequential", "Linear [1,1]"]);
  expect(model.parameters()[0].grad?.toArray()).toEqual([[0, 0]]);
  handle.remove();
  model.forward(x).sum().backward();
  expect(seen).toHaveLength(3);
});

test("quiet hooks see layers that are fused, and change nothing about them; others keep layers apart", () => {
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU(), new nn.Linear(3, 1));
  const expected = model.forward(x).toArray();
  const seen: string[] = [];
  const note = (layer: nn.Module, name: string, isQuiet: boolean) =>
    installHook(layer, { before: () => seen.push(`before ${name}`), after: () => seen.push(`after ${name}`), isQuiet });
  const handles = ["first", "relu", "last"].map((name, i) => note(model.at(i), name, true));
  expect(model._isContained).toBe(true);
  expect(model.forward(x).toArray()).toEqual(expected);
  expect(seen).toEqual(["before first", "after first", "before last", "after last"]); // the ReLU is done with the first
  seen.length = 0;
  handles.push(note(model.at(1), "loud", false));
  expect(model._isContained).toBe(false);
  expect(model.forward(x).toArray()).toEqual(expected);
  expect(seen).toContain("before relu");
  for (const handle of handles) handle.remove();
  expect(model._isContained).toBe(true);
});

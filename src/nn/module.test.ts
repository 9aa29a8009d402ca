import { expect, test } from "vitest";
import { devices } from "../../test/conformance/devices.ts";
import { ArgumentError, DeviceError, DTypeError, StateDictError } from "../backend/errors.ts";
import { sgd } from "../optim/index.ts";
import { defaultDevice, ones, randn, type Tensor, tensor, zeros } from "../tensor/index.ts";
import * as nn from "./index.ts";

class Everything extends nn.Module {
  readonly inner: nn.Linear;
  scale = new nn.Parameter(ones([1]));
  readonly runningCount = new nn.Buffer(zeros([1]));
  readonly layers = [new nn.Linear(2, 2, { bias: false }), [new nn.ReLU(), new nn.Linear(2, 1)]] as const;
  readonly heads = { left: new nn.Linear(2, 1, { bias: false }), _hidden: new nn.Linear(2, 2) };
  readonly _private = new nn.Linear(2, 2);
  readonly W = new nn.Parameter(ones([2]));
  notes = { text: "no tensor", list: [1, 2, null] };

  constructor() {
    super();
    this.inner = new nn.Linear(2, 2);
  }

  forward(x: Tensor): Tensor {
    return this.inner.forward(x).mul(this.scale);
  }
}

const names = (model: nn.AnyModule): string[] => [...model.namedParameters()].map(([name]) => name);

test("members are found in arrays and plain objects, however deep, in the order of their fields; private ones are not", () => {
  const model = new Everything();
  expect(names(model)).toEqual([
    "scale",
    "W",
    "inner.weight",
    "inner.bias",
    "layers.0.weight",
    "layers.1.1.weight",
    "layers.1.1.bias",
    "heads.left.weight",
  ]);
  expect([...model.namedBuffers()].map(([name]) => name)).toEqual(["running_count"]);
  expect([...model.namedModules()].map(([name]) => name)).toEqual([
    "",
    "inner",
    "layers.0",
    "layers.1.0",
    "layers.1.1",
    "heads.left",
  ]);
  expect([...model.stateDict().keys()].slice(0, 3)).toEqual(["scale", "W", "running_count"]);
});

test("what is shared is one parameter, and stands in the state dict under each of its paths", () => {
  class Tied extends nn.Module {
    readonly encoder = new nn.Embedding(5, 3);
    readonly decoder = new nn.Linear(3, 5, { bias: false });
    readonly again = this.decoder;

    constructor() {
      super();
      this.decoder.weight = this.encoder.weight;
    }

    forward(x: Tensor): Tensor {
      return this.decoder.forward(this.encoder.forward(x));
    }
  }
  const model = new Tied();
  expect(names(model)).toEqual(["encoder.weight"]);
  expect([...model.stateDict().keys()]).toEqual(["encoder.weight", "decoder.weight", "again.weight"]);
  expect(new Tied().loadStateDict(model.stateDict())).toEqual({ missing: [], unexpected: [] });
});

test("a module that holds itself, or its parent, does not hang", () => {
  class Node extends nn.Module {
    readonly weight = new nn.Parameter(ones([1]));
    parent: Node | undefined;
    readonly child: Node | undefined;
    readonly loop: unknown[] = [];

    constructor(depth: number) {
      super();
      this.child = depth > 0 ? new Node(depth - 1) : undefined;
      if (this.child !== undefined) this.child.parent = this;
      this.loop.push(this, this.loop);
    }

    forward(x: Tensor): Tensor {
      return x;
    }
  }
  const model = new Node(1);
  let seen = 0;
  model.train(false).apply(() => seen++);
  expect(seen).toBe(2);
  expect(names(model)).toEqual(["weight", "child.weight"]);
  expect(model.stateDict().has("child.weight")).toBe(true);
  expect(model.toString()).toContain("Node(…)");
});

test("train, eval and apply reach everything, innermost first", () => {
  const model = new nn.Sequential(new nn.Sequential(new nn.ReLU()), new nn.Dropout());
  const order: string[] = [];
  expect(model.apply((module) => order.push(module.constructor.name))).toBe(model);
  expect(order).toEqual(["ReLU", "Sequential", "Dropout", "Sequential"]);
  expect(
    model
      .eval()
      .modules()
      .every((module) => !module.training),
  ).toBe(true);
  expect(
    model
      .train()
      .modules()
      .every((module) => module.training),
  ).toBe(true);
});

test("requiresGrad_ and zeroGrad reach all parameters", () => {
  const model = new nn.Sequential(new nn.Linear(2, 2), new nn.Linear(2, 1));
  model.at(0).requiresGrad_(false);
  model
    .forward(randn([3, 2]))
    .sum()
    .backward();
  expect(model.parameters().map((p) => p.grad !== undefined)).toEqual([false, false, true, true]);
  model.requiresGrad_().zeroGrad();
  expect(model.parameters().every((p) => p.requiresGrad && p.grad === undefined)).toBe(true);
});

test("to moves parameters, buffers and gradients, but not their identity", () => {
  const model = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2));
  const optimizer = sgd(model.parameters(), { lr: 0.5 });
  const before = model.parameters();
  model
    .forward(randn([3, 2]))
    .sum()
    .backward();
  const gradient = model.parameters()[0].grad?.toArray();
  model.to(defaultDevice());
  expect(model.parameters()[0].grad?.toArray()).toEqual(gradient);
  for (const device of devices) {
    expect(model.to(device).parameters()).toEqual(before);
    expect(model.parameters().every((p) => p.device === device && p.requiresGrad && p.isLeaf)).toBe(true);
    expect(model.parameters()[0].grad?.toArray()).toEqual(gradient);
    expect(model.parameters()[0].grad?.device).toBe(device);
  }
  model.to("float64");
  expect(model.parameters()[0].dtype).toBe("float64");
  expect([...model.stateDict().values()].map((x) => x.dtype)).toContain("int32"); // the counter stays whole
  model.to("float32").zeroGrad();
  const start = model.parameters()[3].toArray();
  model
    .forward(ones([3, 2], { device: devices[devices.length - 1] }))
    .sum()
    .backward();
  optimizer.step();
  expect(model.parameters()[3].toArray()).not.toEqual(start);
});

test("to refuses what parameters cannot be, and changes nothing", () => {
  const model = new nn.Linear(2, 2);
  expect(() => model.to("int32")).toThrow(DTypeError);
  expect(() => model.to("tpu")).toThrow(DeviceError);
  expect(model.weight.dtype).toBe("float32");
});

test("loadStateDict lists everything that does not fit, and changes nothing then", () => {
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Linear(3, 1));
  const before = model.stateDict().get("0.bias")?.toArray();
  const state = model.stateDict();
  state.set("0.bias", ones([3]));
  state.set("0.weight", ones([3, 4]));
  state.set("1.weight", ones([2]));
  state.delete("1.bias");
  state.set("2.weight", ones([1]));
  const load = (): unknown => model.loadStateDict(state);
  expect(load).toThrow(StateDictError);
  for (const words of [
    "0.weight: model [3,2], given [3,4]",
    "1.weight: model [1,3], given [2]",
    "missing: 1.bias",
    "unexpected: 2.weight",
  ]) {
    expect(load).toThrow(words);
  }
  expect(() => model.loadStateDict(state, { strict: false })).toThrow("0.weight");
  expect(model.stateDict().get("0.bias")?.toArray()).toEqual(before);
  state.delete("0.weight");
  state.delete("1.weight");
  expect(() => model.loadStateDict(state)).toThrow("{ strict: false }");
  expect(model.loadStateDict(state, { strict: false })).toEqual({
    missing: ["0.weight", "1.weight", "1.bias"],
    unexpected: ["2.weight"],
  });
  expect(model.stateDict().get("0.bias")?.toArray()).toEqual([1, 1, 1]);
  expect(() => model.loadStateDict(JSON.parse("{}"))).toThrow(ArgumentError);
  expect(() => model.loadStateDict(new Map([["0.bias", JSON.parse("[1]")]]), { strict: false })).toThrow("no tensor");
});

test("loading converts dtypes and crosses devices", () => {
  const model = new nn.BatchNorm1d(2);
  const state = model.stateDict();
  state.set("weight", tensor([0.5, 2]).to("float16").to("js"));
  state.set("num_batches_tracked", tensor(7));
  model.loadStateDict(state);
  expect(model.weight?.toArray()).toEqual([0.5, 2]);
  expect(model.weight?.requiresGrad).toBe(true);
  expect(model.numBatchesTracked?.item()).toBe(7);
  expect(model.numBatchesTracked?.dtype).toBe("int32");
});

test("two members under one path are noticed", () => {
  class Clash extends nn.Module {
    readonly aB = new nn.Parameter(ones([1]));
    readonly a_b = new nn.Parameter(ones([1]));
    forward(x: Tensor): Tensor {
      return x;
    }
  }
  expect(() => new Clash().stateDict()).toThrow('"a_b"');
});

test("a model prints as PyTorch's", () => {
  const model = new nn.Sequential(
    new nn.Conv2d(1, 8, 3, { stride: 2, padding: 1 }),
    new nn.Sequential(new nn.BatchNorm2d(8), new nn.ReLU()),
    new nn.SelfAttention2d(8, 2),
    new nn.Linear(8, 10, { bias: false }),
  );
  expect(`${model}`).toBe(`Sequential(
  (0): Conv2d(1, 8, kernelSize=[3, 3], stride=2, padding=1)
  (1): Sequential(
    (0): BatchNorm2d(8, eps=0.00001, momentum=0.1, affine=true, trackRunningStats=true)
    (1): ReLU()
  )
  (2): SelfAttention2d(
    (attention): MultiheadAttention(
      8, heads=2, dropout=0
      (out_proj): Linear(inFeatures=8, outFeatures=8, bias=true)
    )
  )
  (3): Linear(inFeatures=8, outFeatures=10, bias=false)
)`);
});

test("containers hold modules only, and know their number", () => {
  const model = new nn.Sequential(new nn.ReLU(), new nn.Tanh());
  expect(model.append(new nn.Sigmoid())).toHaveLength(3);
  expect(model.slice(1).at(0)).toBe(model.at(1));
  expect([...model].map((layer) => layer.constructor.name)).toEqual(["ReLU", "Tanh", "Sigmoid"]);
  expect(() => model.at(3)).toThrow("no layer 3 among 3");
  expect(() => model.append(JSON.parse("3"))).toThrow("layer 3 is not a module but 3");
  const list = new nn.ModuleList([new nn.Linear(1, 1)]);
  expect(names(list.append(new nn.Linear(1, 1, { bias: false })))).toEqual(["0.weight", "0.bias", "1.weight"]);
  expect(() => list.append(JSON.parse("null"))).toThrow("not a module");
  expect(() => list.forward()).toThrow("no forward");
  expect(() => list.at(-3)).toThrow("no module -3 among 2");
});

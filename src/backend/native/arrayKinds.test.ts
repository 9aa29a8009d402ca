import { setFlagsFromString } from "node:v8";
import { runInThisContext } from "node:vm";
import { F, manualSeed, nn, optim, rand, randint, type Tensor } from "kindling";
import { expect, it } from "vitest";

setFlagsFromString("--allow-natives-syntax");
const isDouble: (array: readonly number[]) => boolean = runInThisContext("(array) => %HasDoubleElements(array)");
const isHoley: (array: readonly number[]) => boolean = runInThisContext("(array) => %HasHoleyElements(array)");

it("leaves shapes and strides packed small integers once its code is compiled", () => {
  manualSeed(1);
  const model = new nn.Sequential(new nn.Linear(8, 6), new nn.ReLU(), new nn.Linear(6, 3));
  const optimizer = optim.sgd(model.parameters(), { lr: 0.1 });
  const x = rand([4, 8]);
  const y = randint(0, 3, [4]);
  const wrong = new Set<string>();
  const look = (name: string, { shape, strides }: Tensor): void => {
    for (const [what, array] of Object.entries({ shape, strides })) {
      if (isDouble(array)) wrong.add(`${what} of ${name}: doubles`);
      if (isHoley(array)) wrong.add(`${what} of ${name}: holes`);
    }
  };
  for (let i = 0; i < 6000; i++) {
    const noisy = x.mul(rand([4, 8])).indexSelect(0, y);
    const out = model.forward(noisy);
    const loss = F.crossEntropy(out, y);
    loss.backward();
    optimizer.step();
    for (const p of model.parameters()) if (p.grad !== undefined) look("a gradient", p.grad);
    optimizer.zeroGrad();
    look("an input", noisy);
    look("an output", out);
    look("a sum", out.sum(0));
  }
  expect([...wrong]).toEqual([]);
});

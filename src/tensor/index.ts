export type { BackwardOptions } from "./autograd/backward.ts";
export { type Differentiable, type GradcheckOptions, gradcheck, gradgradcheck } from "./autograd/gradcheck.ts";
export { enableGrad, isGradEnabled, noGrad } from "./autograd/mode.ts";
export type { GradientHook } from "./autograd/node.ts";
export type { HookHandle, MemoryFormat } from "./base.ts";
export {
  arange,
  defaultDevice,
  empty,
  eye,
  full,
  fullLike,
  linspace,
  memory,
  ones,
  onesLike,
  setDefaultDevice,
  type TensorOptions,
  tensor,
  zeros,
  zerosLike,
} from "./create.ts";
export { einsum } from "./einsum.ts";
export { broadcastTensors, cat, elementwise, expr, stack, where } from "./functions.ts";
export type { Axes, KeepDims, ValuesAndIndices } from "./methods/reduce.ts";
export type { ElementwiseOptions, TensorLike } from "./ops/elementwise.ts";
export {
  bernoulli,
  defaultGenerator,
  Generator,
  getRandomState,
  manualSeed,
  type RandomOptions,
  type RandomState,
  rand,
  randint,
  randLike,
  randn,
  randnLike,
  randperm,
  setRandomState,
} from "./random.ts";
export { Tensor } from "./tensor.ts";
export type { NestedArray, TensorData } from "./values.ts";

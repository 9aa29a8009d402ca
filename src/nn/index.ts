export { Flatten, GELU, LeakyReLU, LogSoftmax, Mish, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh } from "./activation.ts";
export { type Layer, ModuleList, Sequential } from "./containers.ts";
export { Dropout } from "./dropout.ts";
export { Embedding, type EmbeddingOptions } from "./embedding.ts";
export * as init from "./init.ts";
export { Identity, Linear, type LinearOptions } from "./linear.ts";
export { AnyModule, type ForwardHook, type ForwardPreHook, type LoadReport, Module, type StateDict } from "./module.ts";
export { Buffer, Parameter } from "./parameter.ts";

export { Flatten, GELU, GeneralRelu, type GeneralReluOptions, LeakyReLU, LogSoftmax, Mish, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh } from "./activation.ts";
export { type Layer, ModuleList, Sequential } from "./containers.ts";
export { Dropout, Dropout1d, Dropout2d } from "./dropout.ts";
export { Embedding, type EmbeddingOptions } from "./embedding.ts";
export * as init from "./init.ts";
export { Identity, Linear, type LinearOptions } from "./linear.ts";
export { type LsuvOptions, type LsuvPair, type LsuvResult, lsuv } from "./lsuv.ts";
export { AnyModule, type ForwardHook, type ForwardPreHook, Module } from "./module.ts";
export type { LoadReport, StateDict } from "./stateDict.ts";
export { Hooks, type ModuleHook } from "./moduleHooks.ts";
export { Buffer, Parameter } from "./parameter.ts";
export {
  MultiheadAttention,
  type MultiheadAttentionOptions,
  PositionalEmbedding,
  SelfAttention2d,
  sinusoidalEmbedding,
} from "./attention.ts";
export {
  Conv1d,
  Conv2d,
  Conv3d,
  type ConvLayerOptions,
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeLayerOptions,
} from "./conv.ts";
export {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  type BatchNormLayerOptions,
  GroupNorm,
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
  LayerNorm,
  type NormLayerOptions,
} from "./norm.ts";
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveConcatPool2d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AvgPool1d,
  AvgPool2d,
  MaxPool1d,
  MaxPool2d,
  Upsample,
} from "./pool.ts";
export { type ConvBlockOptions, convBlock, ResBlock } from "./residual.ts";
export { RunningBatchNorm, type RunningBatchNormOptions } from "./runningBatchNorm.ts";
export { Summary, type SummaryRow, summary } from "./summary.ts";

export {
  ELU,
  GELU,
  GeneralRelu,
  type GeneralReluOptions,
  Hardtanh,
  LeakyReLU,
  LogSigmoid,
  LogSoftmax,
  Mish,
  PReLU,
  ReLU,
  Sigmoid,
  SiLU,
  Softmax,
  Softplus,
  Tanh,
} from "./activation.ts";
export {
  type AttentionMask,
  MultiheadAttention,
  type MultiheadAttentionOptions,
  PositionalEmbedding,
  SelfAttention2d,
  sinusoidalEmbedding,
} from "./attention.ts";
export { type Layer, ModuleList, Sequential } from "./containers.ts";
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
export { Dropout, Dropout1d, Dropout2d } from "./dropout.ts";
export { Embedding, type EmbeddingOptions } from "./embedding.ts";
export * as init from "./init.ts";
export { Lambda } from "./lambda.ts";
export { Identity, Linear, type LinearOptions } from "./linear.ts";
export { type LsuvOptions, type LsuvPair, type LsuvResult, lsuv } from "./lsuv.ts";
export { AnyModule, type ForwardHook, type ForwardPreHook, Module } from "./module.ts";
export { Hooks, type ModuleHook } from "./moduleHooks.ts";
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
export { Buffer, Parameter } from "./parameter.ts";
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveAvgPool3d,
  AdaptiveConcatPool2d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AdaptiveMaxPool3d,
  AvgPool1d,
  AvgPool2d,
  AvgPool3d,
  MaxPool1d,
  MaxPool2d,
  MaxPool3d,
  Upsample,
} from "./pool.ts";
export { Flatten, Unflatten } from "./reshape.ts";
export { type ConvBlockOptions, convBlock, ResBlock } from "./residual.ts";
export { RunningBatchNorm, type RunningBatchNormOptions } from "./runningBatchNorm.ts";
export type { LoadReport, StateDict } from "./stateDict.ts";
export { Summary, type SummaryRow, summary } from "./summary.ts";

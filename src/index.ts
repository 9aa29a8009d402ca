export type { DType, TypedArray } from "./backend/dtype.ts";
export {
  ArgumentError,
  DataError,
  DeviceError,
  DTypeError,
  GradientError,
  IndexError,
  KindlingError,
  ShapeError,
  StateDictError,
} from "./backend/errors.ts";
export type { Expr, ExprLike } from "./backend/expr.ts";
export type { Shape } from "./backend/shape.ts";
export * from "./data/index.ts";
export * from "./learner/index.ts";
export * as F from "./nn/functional.ts";
export * as nn from "./nn/index.ts";
export * as optim from "./optim/index.ts";
export {
  combineScheds,
  cos1cycle,
  cos1cycleAnneal,
  createPhases,
  type Schedule,
  schedCos,
  schedExp,
  schedLin,
  schedMultiStep,
  schedNo,
  schedPoly,
  schedRestarts,
  schedStep,
  warmUp,
} from "./optim/index.ts";
export * from "./tensor/index.ts";

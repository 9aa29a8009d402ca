/** Base of every error kindling throws on purpose; `operation` names where it arose. */
export class KindlingError extends Error {
  readonly operation: string;

  constructor(operation: string, message: string, options?: ErrorOptions) {
    super(`${operation}: ${message}`, options);
    this.name = new.target.name;
    this.operation = operation;
  }
}

/** Shapes that do not fit an operation, or each other. */
export class ShapeError extends KindlingError {}

/** A data type an operation does not take. */
export class DTypeError extends KindlingError {}

/** Tensors of different devices in one operation, or a device that is not there. */
export class DeviceError extends KindlingError {}

/** An index, target or axis out of its range. */
export class IndexError extends KindlingError {}

/** An option or argument whose value makes no sense. */
export class ArgumentError extends KindlingError {}

/** A wrong use of gradients: a second backward, a changed saved value, no graph. */
export class GradientError extends KindlingError {}

/** Parameters that do not match a model's, or an optimizer's. */
export class StateDictError extends KindlingError {}

/** Data that is missing, damaged or not what it claims to be. */
export class DataError extends KindlingError {}

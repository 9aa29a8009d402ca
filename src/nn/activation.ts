import { ArgumentError } from "../backend/errors.ts";
import { call, type Expr } from "../backend/expr.ts";
import type { Rectifier } from "../backend/fast.ts";
import { full } from "../tensor/create.ts";
import { mul, sub } from "../tensor/ops/derivative.ts";
import { define, type Elementwise } from "../tensor/ops/elementwise.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkNumber, checkSize } from "./arguments.ts";
import { elu, hardtanh, logSigmoid, prelu } from "./functional.ts";
import { forwardOf } from "./hooks.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

const relu: Rectifier = { leak: 0, sub: 0 };

/** max(x, 0). */
export class ReLU extends Module {
  override get _isContained(): boolean {
    return forwardOf(this) === ReLU.prototype.forward;
  }

  override get _rectifier(): Rectifier | undefined {
    return this._isContained ? relu : undefined;
  }

  forward(x: Tensor): Tensor {
    return x.relu();
  }
}

/** x where positive, slope·x elsewhere. */
export class LeakyReLU extends Module {
  readonly slope: number;

  /** @param slope - Default 0.01. */
  constructor(slope = 0.01) {
    super();
    this.slope = slope;
  }

  override get _isContained(): boolean {
    return forwardOf(this) === LeakyReLU.prototype.forward;
  }

  override get _rectifier(): Rectifier | undefined {
    return this._isContained ? { leak: this.slope, sub: 0 } : undefined;
  }

  forward(x: Tensor): Tensor {
    return x.leakyRelu(this.slope);
  }

  override describe(): string {
    return `slope=${this.slope}`;
  }
}

/** The parts of a {@link GeneralRelu}. */
export interface GeneralReluOptions {
  /** Slope below 0. Default 0. */
  readonly leak?: number;
  /** Taken from the result, to bring its mean near 0. Default 0. */
  readonly sub?: number;
  /** The largest result. Default none. */
  readonly max?: number;
}

/**
 * min(leakyRelu(x, leak) − sub, max), as one fused operation; parts that are not given cost nothing.
 *
 * @see fastai and miniai: `GeneralRelu`.
 * @example
 * new nn.GeneralRelu({ leak: 0.5, sub: 0.25, max: 6 }).forward(tensor([-1, 1, 9])).toArray(); // => [-0.75, 0.75, 6]
 */
export class GeneralRelu extends Module {
  leak: number | undefined;
  sub: number | undefined;
  max: number | undefined;

  constructor({ leak, sub, max }: GeneralReluOptions = {}) {
    super();
    this.leak = leak;
    this.sub = sub;
    this.max = max;
  }

  override get _isContained(): boolean {
    return forwardOf(this) === GeneralRelu.prototype.forward;
  }

  override get _rectifier(): Rectifier | undefined {
    const { leak = 0, sub = 0, max } = this;
    return this._isContained && max === undefined ? { leak, sub } : undefined;
  }

  forward(x: Tensor): Tensor {
    const parts = [this.leak, this.sub, this.max];
    const variant = parts.reduce<number>((bits, part, i) => (part === undefined ? bits : bits | (1 << i)), 0);
    generalRelus[variant] ??= generalRelu(variant);
    return generalRelus[variant].call(x, ...parts.filter((part) => part !== undefined));
  }

  override describe(): string {
    const parts = Object.entries({ leak: this.leak, sub: this.sub, max: this.max });
    return parts.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])).join(", ");
  }
}

const generalRelus: Elementwise[] = [];

/** One operation for each choice of parts: bit 0 the leak, bit 1 the subtraction, bit 2 the limit. */
function generalRelu(variant: number): Elementwise {
  const [hasLeak, hasSub, hasMax] = [1, 2, 4].map((bit) => (variant & bit) !== 0);
  const count = 1 + Number(hasLeak) + Number(hasSub) + Number(hasMax);
  return define("generalRelu", count, ([x, ...numbers]) => {
    const next = numbers[Symbol.iterator]();
    const part = (): Expr => next.next().value ?? x;
    // Written with comparisons so that a NaN stays one, and that the gradient at each kink is PyTorch's.
    let y = call("where", call("lessEqual", x, 0), hasLeak ? mul(part(), x) : 0, x);
    if (hasSub) y = sub(y, part());
    if (!hasMax) return y;
    const limit = part();
    return call("where", call("less", limit, y), limit, y);
  });
}

/** x·Φ(x). @see Hendrycks and Gimpel 2016, https://arxiv.org/abs/1606.08415 */
export class GELU extends Module {
  forward(x: Tensor): Tensor {
    return x.gelu();
  }
}

/** x·sigmoid(x). */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return x.silu();
  }
}

/** x·tanh(softplus(x)). */
export class Mish extends Module {
  forward(x: Tensor): Tensor {
    return x.mish();
  }
}

/** 1/(1 + e⁻ˣ). */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return x.sigmoid();
  }
}

/** Hyperbolic tangent. */
export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return x.tanh();
  }
}

/** log(1 + e^(beta·x)) / beta. */
export class Softplus extends Module {
  readonly beta: number;

  /** @param beta - Above 0. Default 1. */
  constructor(beta = 1) {
    super();
    this.beta = checkNumber("Softplus", "beta", beta, Number.MIN_VALUE);
  }

  forward(x: Tensor): Tensor {
    return x.softplus(this.beta);
  }

  override describe(): string {
    return `beta=${this.beta}`;
  }
}

/** x where positive, alpha·(eˣ − 1) elsewhere. @see Clevert et al. 2015, https://arxiv.org/abs/1511.07289 */
export class ELU extends Module {
  readonly alpha: number;

  /** @param alpha - Default 1. */
  constructor(alpha = 1) {
    super();
    this.alpha = checkNumber("ELU", "alpha", alpha);
  }

  forward(x: Tensor): Tensor {
    return elu(x, this.alpha);
  }

  override describe(): string {
    return `alpha=${this.alpha}`;
  }
}

/** x cut off below `low` and above `high`. */
export class Hardtanh extends Module {
  readonly low: number;
  readonly high: number;

  /**
   * @param low - Default -1.
   * @param high - Above `low`. Default 1.
   */
  constructor(low = -1, high = 1) {
    super();
    if (!(low < high)) throw new ArgumentError("Hardtanh", `low must lie below high, got ${low} and ${high}.`);
    this.low = low;
    this.high = high;
  }

  forward(x: Tensor): Tensor {
    return hardtanh(x, this.low, this.high);
  }

  override describe(): string {
    return `low=${this.low}, high=${this.high}`;
  }
}

/** log(1/(1 + e⁻ˣ)), without overflow. */
export class LogSigmoid extends Module {
  forward(x: Tensor): Tensor {
    return logSigmoid(x);
  }
}

/**
 * x where positive, a learned slope times x elsewhere.
 *
 * Shapes: `[n, c, …]` → the same.
 *
 * @see He et al. 2015, https://arxiv.org/abs/1502.01852. PyTorch: `nn.PReLU`.
 */
export class PReLU extends Module {
  weight: Parameter;

  /**
   * @param channels - 1 for one slope, or the number of channels for one each. Default 1.
   * @param start - Slope at the start. Default 0.25.
   */
  constructor(channels = 1, start = 0.25) {
    super();
    this.weight = new Parameter(full([checkSize("PReLU", "channels", channels)], checkNumber("PReLU", "start", start)));
  }

  forward(x: Tensor): Tensor {
    return prelu(x, this.weight);
  }

  override describe(): string {
    return `channels=${this.weight.shape[0]}`;
  }
}

/** eˣ / Σ eˣ along an axis. */
export class Softmax extends Module {
  readonly axis: number;

  /** @param axis - Default the last. */
  constructor(axis = -1) {
    super();
    this.axis = axis;
  }

  forward(x: Tensor): Tensor {
    return x.softmax(this.axis);
  }

  override describe(): string {
    return `axis=${this.axis}`;
  }
}

/** x − log Σ eˣ along an axis. */
export class LogSoftmax extends Module {
  readonly axis: number;

  /** @param axis - Default the last. */
  constructor(axis = -1) {
    super();
    this.axis = axis;
  }

  forward(x: Tensor): Tensor {
    return x.logSoftmax(this.axis);
  }

  override describe(): string {
    return `axis=${this.axis}`;
  }
}

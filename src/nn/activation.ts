import type { Tensor } from "../tensor/tensor.ts";
import { Module } from "./module.ts";

/** max(x, 0). */
export class ReLU extends Module {
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

  forward(x: Tensor): Tensor {
    return x.leakyRelu(this.slope);
  }

  override describe(): string {
    return `${this.slope}`;
  }
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

/** log(1 + eˣ). */
export class Softplus extends Module {
  forward(x: Tensor): Tensor {
    return x.softplus();
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
}

/**
 * All axes from `start` on joined to one.
 *
 * Shapes: `[n, …]` → `[n, product of the rest]`.
 */
export class Flatten extends Module {
  readonly start: number;

  /** @param start - First axis that is joined. Default 1. */
  constructor(start = 1) {
    super();
    this.start = start;
  }

  forward(x: Tensor): Tensor {
    return x.flatten(this.start);
  }
}

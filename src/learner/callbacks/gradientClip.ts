import { ArgumentError } from "../../backend/errors.ts";
import { clipGradNorm, clipGradValue } from "../../optim/gradients.ts";
import type { Callback } from "../callback.ts";
import type { Learner } from "../learner.ts";

/** Options of {@link GradientClip}: one of the two, or both. */
export interface GradientClipOptions {
  /** The largest norm of all gradients together, from 0. Default no limit. */
  readonly norm?: number;
  /** The largest absolute value of an element, from 0; applied first. Default no limit. */
  readonly value?: number;
}

/**
 * Clips the gradients of all parameters before each step.
 *
 * @throws {@link ArgumentError} without any limit, or for one below 0.
 * @see Pascanu et al. 2013, https://arxiv.org/abs/1211.5063; fastai: GradientClip.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const learn = new Learner(DataLoaders.fromDatasets(data, data), new nn.Linear(4, 2), { loss: F.crossEntropy });
 * const clip = new GradientClip({ norm: 1e-3 });
 * await learn.fit(1, { callbacks: [clip] });
 * (clip.lastNorm ?? 0) > 1e-3; // => true
 */
export class GradientClip implements Callback {
  /** After gradients have been accumulated, and put to scale. */
  readonly order = 70;
  /** Norm of all gradients before the latest step, before clipping by norm; undefined where there is no such limit. */
  lastNorm: number | undefined;
  private readonly _norm: number | undefined;
  private readonly _value: number | undefined;

  constructor({ norm, value }: GradientClipOptions) {
    if (norm === undefined && value === undefined) {
      throw new ArgumentError("GradientClip", "give a limit: { norm: 1 } or { value: 0.5 }.");
    }
    for (const limit of [norm, value]) {
      if (limit !== undefined && !(limit >= 0)) {
        throw new ArgumentError("GradientClip", `a limit must be a number from 0, got ${limit}.`);
      }
    }
    this._norm = norm;
    this._value = value;
  }

  beforeStep({ optimizer }: Learner): void {
    const params = optimizer.paramGroups.flatMap((group) => group.params);
    if (this._value !== undefined) clipGradValue(params, this._value);
    if (this._norm !== undefined) this.lastNorm = clipGradNorm(params, this._norm);
  }
}

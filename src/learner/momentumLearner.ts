import { ArgumentError } from "../backend/errors.ts";
import type { Module } from "../nn/module.ts";
import { scaleGrads } from "../optim/gradients.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Learner, type LearnerOptions, type LoaderPair } from "./learner.ts";

/** Options of {@link MomentumLearner}. */
export interface MomentumLearnerOptions extends LearnerOptions {
  /** Share of the gradients that is kept for the next batch, from 0 to 1. Default 0.85. */
  readonly momentum?: number;
}

/**
 * A learner that keeps a share of the gradients in the place of forgetting them: momentum with plain SGD.
 *
 * Nothing is kept from one fit to the next. Parameters without a gradient, frozen ones for instance, are left alone.
 *
 * @throws {@link ArgumentError} for a momentum that is not from 0 up to, not including, 1.
 * @see nntrain: MomentumLearner.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const dls = DataLoaders.fromDatasets(data, data);
 * const learn = new MomentumLearner(dls, new nn.Linear(4, 2), { loss: F.crossEntropy, momentum: 0.9 });
 * await learn.fit(1);
 * learn.model.parameters()[0].grad; // => undefined
 */
export class MomentumLearner extends Learner {
  readonly momentum: number;

  constructor(dls: LoaderPair, model: Module<readonly [Tensor], Tensor>, options: MomentumLearnerOptions) {
    const { momentum = 0.85, ...rest } = options;
    if (!(momentum >= 0 && momentum < 1)) {
      throw new ArgumentError("MomentumLearner", `momentum must be at least 0 and less than 1, got ${momentum}.`);
    }
    super(dls, model, rest);
    this.momentum = momentum;
    this.addCallback({ name: "MomentumLearner", cleanupFit: (learn) => learn.optimizer.zeroGrad() });
  }

  override zeroGrad(): void {
    scaleGrads(
      this.optimizer.paramGroups.flatMap((group) => group.params),
      this.momentum,
    );
  }
}

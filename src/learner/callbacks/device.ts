import type { Callback } from "../callback.ts";
import type { Learner } from "../learner.ts";

/**
 * Moves the model to a device before the first pass, with the optimizer's state, and every batch as it comes.
 *
 * @see miniai: DeviceCB.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const learn = new Learner(DataLoaders.fromDatasets(data, data), new nn.Linear(4, 2), { loss: F.crossEntropy });
 * await learn.fit(1, { callbacks: [new DeviceMover("js")] });
 * learn.model.parameters()[0].device; // => "js"
 */
export class DeviceMover implements Callback {
  /** Before whatever looks at parameters or at the batch. */
  readonly order = -90;
  private readonly _device: string;

  /** @param device - `"native"` or `"js"`. */
  constructor(device: string) {
    this._device = device;
  }

  beforeFit(learn: Learner): void {
    this.move(learn);
  }

  /** For `validate`, which is no fit. */
  beforePass(learn: Learner): void {
    this.move(learn);
  }

  beforeBatch(learn: Learner): void {
    learn.batch = learn.batch.map((x) => x.to(this._device));
    learn.xb = learn.xb.to(this._device);
    learn.yb = learn.yb.to(this._device);
  }

  private move({ model, optimizer }: Learner): void {
    const state = [...model.stateDict().values()];
    if (state.every((x) => x.device === this._device)) return;
    model.to(this._device);
    optimizer.loadStateDict(optimizer.stateDict()); // copies to where the parameters are now
  }
}

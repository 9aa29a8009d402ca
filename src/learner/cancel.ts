/** The phases of a fit, outermost first. */
export const phases = ["fit", "epoch", "pass", "batch", "backward", "step"] as const;

/** A part of a fit that publishes events and can be cancelled. */
export type Phase = (typeof phases)[number];

/**
 * Thrown by a callback to end a phase early; the innermost such phase that is running catches it.
 * It is not an error: `afterCancelX` and `cleanupX` follow, then training goes on behind the phase.
 */
export abstract class Cancel extends Error {
  abstract readonly phase: Phase;
  /** Why, for the record. */
  readonly reason: string | undefined;

  /** @param reason - Shown in the record of the fit. */
  constructor(reason?: string) {
    super(reason ?? "cancelled");
    this.name = new.target.name;
    this.reason = reason;
  }
}

/** Ends the whole fit. */
export class CancelFit extends Cancel {
  readonly phase = "fit";
}

/** Ends the epoch: what is left of its training pass, and its validation. */
export class CancelEpoch extends Cancel {
  readonly phase = "epoch";
}

/** Ends the pass over the training or the validation data. */
export class CancelPass extends Cancel {
  readonly phase = "pass";
}

/** Ends the batch; gradients it left are dropped. */
export class CancelBatch extends Cancel {
  readonly phase = "batch";
}

/** Skips gradients and step of this batch. */
export class CancelBackward extends Cancel {
  readonly phase = "backward";
}

/** Skips the optimizer for this batch and keeps its gradients, which then add up. */
export class CancelStep extends Cancel {
  readonly phase = "step";
}

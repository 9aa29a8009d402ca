import { warn } from "#platform";
import { noGrad } from "../../tensor/autograd/mode.ts";
import { getRandomState, setRandomState } from "../../tensor/random.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { Callback } from "../callback.ts";
import { CancelFit } from "../cancel.ts";
import type { Learner } from "../learner.ts";

/** Ends the fit when the training loss is not finite, before the weights change, and names the first module at fault. */
export class TerminateOnNan implements Callback {
  readonly order = -10;

  afterLoss(learn: Learner): void {
    const loss = learn.metrics.batchLoss;
    if (!learn.training || Number.isFinite(loss)) return;
    const reason = `the loss is ${loss} at epoch ${learn.epoch}, iteration ${learn.iteration}; ${blame(learn)}`;
    warn(`kindling: training stopped: ${reason}`);
    throw new CancelFit(reason);
  }
}

/** Goes forward once more to see where the first non-finite number appears. */
function blame(learn: Learner): string {
  if (!allFinite(learn.xb)) return "the input of the batch is not finite";
  for (const [name, parameter] of learn.model.namedParameters()) {
    if (!allFinite(parameter)) return `parameter "${name}" is not finite`;
  }
  const random = getRandomState();
  let first: string | undefined;
  const handles = [...learn.model.namedModules()].map(([path, module]) =>
    module.registerForwardHook((_, __, output) => {
      if (first === undefined && output instanceof Tensor && !allFinite(output)) {
        first = `the first output that is not finite is that of ${path === "" ? "the model" : `"${path}"`} (${module.constructor.name})`;
      }
    }),
  );
  try {
    noGrad(() => learn.predict());
  } finally {
    for (const handle of handles) handle.remove();
    setRandomState(random);
  }
  return first ?? "all outputs of the model are finite, so it arose in the loss";
}

function allFinite(x: Tensor): boolean {
  return noGrad(() => x.isFinite().all().item() !== 0);
}

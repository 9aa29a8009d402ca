import type { AnyModule } from "../nn/module.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import { getRandomState, setRandomState } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Learner } from "./learner.ts";

/**
 * Prepares a learner for training that must leave no trace, and gives the function that takes the trace away.
 *
 * Training goes on with copies: of parameters and buffers, whose own memory is laid aside and so cannot be harmed, and of
 * the optimizer. Fields of the learner, its modules and callbacks, gradients and the random state come back as they were.
 * Callbacks that only watch rest meanwhile. The loaders are the caller's.
 */
export function layAside(learn: Learner): () => void {
  const random = getRandomState();
  const fields = [learn, learn._point, ...learn.model.modules(), ...learn.callbacks].map(keepFields);
  const states = learn.callbacks.flatMap((callback) => {
    const state = callback.state?.();
    return state === undefined ? [] : [() => callback.loadState?.(state)];
  });
  const callbacks = [...learn.callbacks];
  const tensors = tensorsOf(learn.model).map((tensor) => ({ tensor, own: tensor.detach(), grad: tensor.grad }));
  const optimizer = learn.optimizer.stateDict();

  const restore = (): void => {
    for (const callback of learn.callbacks) learn.removeCallback(callback);
    for (const callback of callbacks) learn.addCallback(callback);
    for (const { tensor, own, grad } of tensors) {
      tensor._become(own);
      tensor.grad = grad;
    }
    for (const load of states) load();
    for (const putBack of fields) putBack();
    setRandomState(random);
  };

  try {
    for (const { tensor, own } of tensors) tensor._become(noGrad(() => own._copyLike(own)));
    learn.resetOptimizer();
    learn.optimizer.loadStateDict(optimizer);
    for (const callback of callbacks) if (callback.watches === true) learn.removeCallback(callback);
  } catch (error) {
    restore();
    throw error;
  }
  return restore;
}

function tensorsOf(model: AnyModule): Tensor[] {
  return [...model.namedParameters(), ...model.namedBuffers()].map(([, tensor]) => tensor);
}

/** Notes the values of an object's own fields; getters and read-only ones cannot change. */
function keepFields(object: object): () => void {
  const own = Object.entries(Object.getOwnPropertyDescriptors(object)).filter(([, field]) => field.writable === true);
  return () => {
    for (const [name, { value }] of own) Reflect.set(object, name, value);
  };
}

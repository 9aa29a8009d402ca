import { print } from "#platform";
import type { Awaitable, Callback, Event } from "../callback.ts";
import type { Learner } from "../learner.ts";

/**
 * Calls a function at some events, after all other callbacks.
 *
 * @see dl2 (09b): DebugCallback.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const learn = new Learner(DataLoaders.fromDatasets(data, data), new nn.Linear(4, 2), { loss: F.crossEntropy });
 * const shapes: string[] = [];
 * await learn.fit(1, { callbacks: [new Debug("afterPredict", ({ preds }) => shapes.push(`[${preds.shape}]`))] });
 * shapes; // => ["[8,2]", "[8,2]"]
 */
export class Debug implements Callback {
  readonly order = 999;

  /**
   * @param events - One event or several.
   * @param fn - Gets the learner and the event; a promise it returns is awaited. Default prints where training stands.
   */
  constructor(events: Event | readonly Event[], fn: (learn: Learner, event: Event) => Awaitable<unknown> = printPlace) {
    const handlers: Callback = {};
    for (const event of typeof events === "string" ? [events] : events) {
      handlers[event] = (learn) => {
        const result = fn(learn, event);
        return result instanceof Promise ? result.then(() => undefined) : undefined;
      };
    }
    Object.assign(this, handlers);
  }
}

function printPlace(learn: Learner, event: Event): void {
  const { epoch, epochs, pass, iteration, iterations } = learn;
  print(`${event}: epoch ${epoch + 1}/${epochs}, ${pass}, batch ${iteration + 1}/${iterations}`);
}

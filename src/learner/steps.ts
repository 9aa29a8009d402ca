/**
 * Work that can be interrupted: it yields a promise where there is one to wait for, and runs on where there is none.
 * The training loop is written this way, because an `await` for nothing costs more than a whole event.
 */
export type Steps<T> = Generator<Promise<unknown>, T, unknown>;

/** Runs work to its end; a promise comes back only when there was something to wait for. */
export function drive<T>(steps: Steps<T>): T | Promise<T> {
  const next = steps.next();
  return next.done === true ? next.value : finish(steps, next.value);
}

/** The value of a promise, within such work. */
export function* wait<T>(promise: Promise<T>): Steps<T> {
  const arrived: T[] = [];
  yield promise.then((value) => arrived.push(value));
  return arrived[0];
}

async function finish<T>(steps: Steps<T>, first: Promise<unknown>): Promise<T> {
  let pending = first;
  for (;;) {
    let failure: { readonly error: unknown } | undefined;
    try {
      await pending;
    } catch (error) {
      failure = { error };
    }
    const next = failure === undefined ? steps.next() : steps.throw(failure.error);
    if (next.done === true) return next.value;
    pending = next.value;
  }
}

import { printed, shows } from "./compare.ts";

/** What snippets call in place of a `// =>` comment; gives the value back. */
export function check<T>(value: T, text: string, line: number): T {
  if (!shows(value, text)) throw new Error(`line ${line} gives ${printed(value)}\n  but its comment says ${text}`);
  return value;
}

/** What snippets call in place of a `// throws Name: message` comment; the message may end in `…`. */
export async function throws(body: () => Promise<void>, text: string, line: number): Promise<void> {
  let thrown: unknown;
  try {
    await body();
  } catch (error) {
    thrown = error;
  }
  if (!(thrown instanceof Error)) throw new Error(`line ${line} throws nothing\n  but its comment says throws ${text}`);
  const said = text.includes(":") ? `${thrown.name}: ${thrown.message}` : thrown.name;
  if (!shows(said, JSON.stringify(text))) {
    throw new Error(`line ${line} throws ${thrown.name}: ${thrown.message}\n  but its comment says throws ${text}`);
  }
}

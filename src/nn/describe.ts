/** Options as they are printed in a module's brackets: `stride=2, padding=[1, 2]`; those that are undefined left out. */
export function describeOptions(options: object): string {
  return Object.entries(options)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${printed(value)}`)
    .join(", ");
}

function printed(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(printed).join(", ")}]` : String(value);
}

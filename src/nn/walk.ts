/** Members by their place in a path, with arrays and plain objects opened up, however deep; private names left out. */
export function* openMembers(
  members: Iterable<readonly [string, unknown]>,
): Generator<readonly [path: string, member: object]> {
  for (const [name, member] of members) yield* open(snakeCase(name), member, []);
}

/** A longer path. */
export function join(prefix: string, name: string): string {
  return prefix === "" ? name : `${prefix}.${name}`;
}

function* open(path: string, member: unknown, around: readonly object[]): Generator<readonly [string, object]> {
  if (typeof member !== "object" || member === null || around.includes(member)) return;
  if (!isCollection(member)) {
    yield [path, member];
    return;
  }
  const inside = [...around, member];
  for (const [key, part] of Object.entries(member)) {
    if (!key.startsWith("_")) yield* open(join(path, snakeCase(key)), part, inside);
  }
}

function isCollection(x: object): boolean {
  return Array.isArray(x) || Object.getPrototypeOf(x) === Object.prototype;
}

/** `runningMean` → `running_mean`; a name that starts with a capital, such as a formula's `W`, keeps it. */
function snakeCase(name: string): string {
  return name.replace(/(?<=.)[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

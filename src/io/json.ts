/** Plain data, as JSON can hold it. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

const marker = "$number";

/** JSON that keeps the numbers JSON has no words for: NaN, the infinities and −0. */
export function stringifyJson(value: Json): string {
  return JSON.stringify(value, (_, part: Json) => {
    if (typeof part !== "number" || (Number.isFinite(part) && !Object.is(part, -0))) return part;
    return { [marker]: Object.is(part, -0) ? "-0" : String(part) };
  });
}

/** Reads what {@link stringifyJson} wrote. @throws SyntaxError when the text is no JSON. */
export function parseJson(text: string): Json {
  return JSON.parse(text, (_, part: Json) => (isMarked(part) ? Number(part[marker]) : part));
}

/** Whether a value is an object, not a list. */
export function isRecord(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isMarked(part: Json): part is { readonly [marker]: string } {
  return isRecord(part) && typeof part[marker] === "string" && Object.keys(part).length === 1;
}

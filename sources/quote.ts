/** Longest part of a value, and most values, that an error message repeats. */
const MAX_CHARACTERS = 80;
const MAX_VALUES = 20;

/** The value in double quotes for an error message, shortened: a message must not carry a whole row. */
export function quote(value: string): string {
  return value.length > MAX_CHARACTERS ? `"${value.slice(0, MAX_CHARACTERS)}…"` : `"${value}"`;
}

export function quoteAll(values: readonly string[]): string {
  const shown = values.slice(0, MAX_VALUES).map(quote).join(', ');
  return values.length > MAX_VALUES ? `${shown} and ${values.length - MAX_VALUES} more` : shown;
}

/** What a JSON value is, in a word with its article. */
export function describeType(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

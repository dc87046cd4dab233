/**
 * A text as an SQL literal, safe for every text: Lance knows no escape but the doubled quote, so a backslash,
 * a newline or a comment mark inside is plain text.
 */
export function sqlText(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** `column IN ('a', 'b')`, never of an empty list (SQL has none): the caller returns early instead. */
export function sqlIn(column: string, values: readonly string[]): string {
  if (values.length === 0) throw new Error(`Cannot compare ${column} with an empty list, this is a bug`);
  return `${column} IN (${values.map(sqlText).join(', ')})`;
}

import { sqlText } from './sql.ts';

/** `itemKey` of columns, as SQL; NULL where one of them is. Each is an SQL expression of a text. */
export function keySql(source: string, kind: string, id: string): string {
  const text = [source, sqlText('\0'), kind, sqlText('\0'), id].join(' || ');
  const digits = `replace(replace(encode(sha256(${text}), 'base64'), '+', '-'), '/', '_')`;
  return `arrow_cast(left(${digits}, 22), 'Utf8')`;
}

import type { ItemKind } from '#store/contract.ts';
import { type FilterField, filterColumns } from '#store/filter.ts';
import type { FilterCursor } from './token-cursor.ts';

export interface NamedField {
  readonly field: FilterField;
  /** As the user wrote it, for messages. */
  readonly name: string;
}

/** Reads the column, in any case, or the field of `meta` that a comparison begins with. */
export function readField(cursor: FilterCursor, kind: ItemKind): NamedField {
  const token = cursor.peek();
  if (token.kind === 'meta') {
    cursor.advance();
    return { field: { kind: 'meta', path: token.path }, name: token.text };
  }
  if (token.kind !== 'word') throw cursor.unexpected('a column');
  const columns = filterColumns(kind);
  const name = token.text.toLowerCase();
  const type = columns.get(name);
  if (type === undefined) {
    const example = RESERVED.has(token.text.toUpperCase()) ? 'NAME' : token.text;
    throw cursor.unexpected(`a column (${[...columns.keys()].join(', ')}) or meta.${example}`);
  }
  cursor.advance();
  return { field: { kind: 'column', name, type }, name };
}

const RESERVED = new Set([
  'AND',
  'OR',
  'NOT',
  'IN',
  'LIKE',
  'BETWEEN',
  'IS',
  'NULL',
  'TRUE',
  'FALSE',
  'META',
]);

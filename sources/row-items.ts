import { collectCaptions } from './captions.ts';
import type { CaptionItem, Item } from './item.ts';
import type { Occurrences } from './occurrences.ts';
import type { Locate } from './picture-path.ts';
import { describeType, quote } from './quote.ts';
import type { BrokenRow, Row } from './row.ts';

export interface RowItemsOptions {
  /** Absolute path of the file that the rows come from. */
  readonly file: string;
  /** Its name in the ids of rows that have none. */
  readonly name: string;
  readonly locate: Locate;
  /** Pictures already given out, and their captions so far. */
  readonly pictures: Occurrences;
  /** Ids given by a column, together with the picture they were given to; and of captions without a picture. */
  readonly givenIds: Occurrences;
}

/** Adds the items of a row to `into`. */
export function pushRowItems(row: Row | BrokenRow, options: RowItemsOptions, into: Item[]): void {
  const reason = 'broken' in row ? row.broken : pushItems(row, options, into);
  if (reason === undefined) return;
  const message = `Cannot read line ${row.line} of "${options.file}": ${reason}`;
  const error = { code: 'SOURCE_ROW_INVALID', message } as const;
  into.push({ kind: 'broken', id: `${options.name}:${row.line}`, uri: options.file, error });
}

/** Nothing is added unless the whole row is understood; otherwise returns `expected …, received …`. */
function pushItems(row: Row, options: RowItemsOptions, into: Item[]): string | undefined {
  const captions: string[] = [];
  for (const value of row.captions) {
    const reason = collectCaptions(value, captions);
    if (reason !== undefined) return reason;
  }
  if (!isId(row.id)) return badId('an id', row.id);
  if (!isId(row.captionId)) return badId('a caption id', row.captionId);
  const given = { id: toId(row.id), captionId: toId(row.captionId) };

  const path = row.image ?? '';
  if (typeof path !== 'string') return `expected the path of a picture, received ${describeType(path)}`;
  if (path.trim() !== '') return pushPicture(row, path, given, captions, options, into);
  if (captions.length === 0) return 'expected a picture or a caption, received neither';
  pushCaptionsAlone(row, given, captions, options, into);
  return undefined;
}

interface GivenIds {
  readonly id: string | undefined;
  readonly captionId: string | undefined;
}

function pushPicture(
  row: Row,
  path: string,
  given: GivenIds,
  captions: readonly string[],
  { locate, pictures, givenIds }: RowItemsOptions,
  into: Item[],
): string | undefined {
  const location = locate(path);
  if (typeof location === 'string') return location;
  const { uri } = location;
  const id = given.id ?? location.id;
  const isNew = pictures.add(id);
  if (id !== location.id) {
    // An id that is not one (a class, a user) would make every picture but the first vanish as "seen already".
    const pair = `${id}\0${uri}`;
    if (isNew) givenIds.add(pair);
    else if (!givenIds.has(pair)) {
      return `expected one picture per id, received ${quote(path)} with the id ${quote(id)} of another`;
    }
  }

  const { meta } = row;
  if (isNew) into.push({ kind: 'image', id, uri, meta });
  for (const [index, caption] of captions.entries()) {
    const n = pictures.next(id);
    const captionId = given.captionId === undefined ? `${id}#${n}` : numbered(given.captionId, index);
    into.push({ kind: 'caption', id: captionId, imageId: id, uri, caption, meta });
  }
  return undefined;
}

function pushCaptionsAlone(
  { line, meta }: Row,
  given: GivenIds,
  captions: readonly string[],
  { file, name, givenIds }: RowItemsOptions,
  into: Item[],
): void {
  const own = given.captionId ?? given.id;
  for (const [index, caption] of captions.entries()) {
    // An id column may name the picture that several captions describe: they must not replace each other.
    const id = own === undefined ? numbered(`${name}:${line}`, index) : numbered(own, givenIds.next(own));
    const item: CaptionItem = { kind: 'caption', id, imageId: null, uri: file, caption, meta };
    into.push(item);
  }
}

/** The id itself for the first, then `#1`, `#2`, … */
function numbered(id: string, n: number): string {
  return n === 0 ? id : `${id}#${n}`;
}

/** Numbers beyond 2^53 were already rounded when the JSON was read: two of them would become one id. */
function isId(value: unknown): value is string | number | null | undefined {
  if (typeof value === 'number') return !Number.isInteger(value) || Number.isSafeInteger(value);
  return value === undefined || value === null || typeof value === 'string';
}

function toId(value: string | number | null | undefined): string | undefined {
  const id = String(value ?? '');
  return id.trim() === '' ? undefined : id;
}

function badId(what: string, value: unknown): string {
  const received = typeof value === 'number' ? `the number ${value}, which is rounded` : describeType(value);
  return `expected ${what} as a string or an exact number, received ${received}`;
}

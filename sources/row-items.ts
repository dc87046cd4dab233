import { collectCaptions } from './captions.ts';
import type { CaptionItem, Item } from './item.ts';
import type { Occurrences } from './occurrences.ts';
import type { Locate } from './picture-path.ts';
import { describeType, quote } from './quote.ts';
import type { ReadingNotes } from './reading-notes.ts';
import type { AnyRow, Row } from './row.ts';

export interface RowItemsOptions {
  /** Absolute path of the file that the rows come from. */
  readonly file: string;
  /** Its name in the ids of rows that have none. */
  readonly name: string;
  readonly locate: Locate;
  /** Pictures already given out, and their captions so far. */
  readonly pictures: Occurrences;
  /** Ids given by a column, together with what they were given to: pictures with their files, captions with their pictures. */
  readonly givenIds: Occurrences;
  /** Files of pictures that have the id of a row, where a row may give one, and where it is noted that one has two. */
  readonly byRow?: { readonly files: Occurrences; readonly notes: ReadingNotes };
}

/** Adds the items of a row to `into`. */
export function pushRowItems(row: AnyRow, options: RowItemsOptions, into: Item[]): void {
  if ('listed' in row) {
    into.push(row.listed);
    return;
  }
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
  if (!isId(row.imageId)) return badId("a picture's id", row.imageId);
  const given = { id: toId(row.id), imageId: toId(row.imageId), captionId: toId(row.captionId) };

  const path = row.image ?? '';
  if (typeof path !== 'string') return `expected the path of a picture, received ${describeType(path)}`;
  if (path.trim() !== '') return pushPicture(row, path, given, captions, options, into);
  if (captions.length === 0) return 'expected a picture or a caption, received neither';
  return pushCaptionsAlone(row, given, captions, options, into);
}

interface GivenIds {
  readonly id: string | undefined;
  readonly imageId: string | undefined;
  readonly captionId: string | undefined;
}

function pushPicture(
  row: Row,
  path: string,
  given: GivenIds,
  captions: readonly string[],
  { locate, pictures, givenIds, byRow }: RowItemsOptions,
  into: Item[],
): string | undefined {
  const location = locate(path);
  if (typeof location === 'string') return location;
  const { uri, alias } = location;
  const isAlias = alias !== undefined && alias !== location.id && pictures.has(alias);
  const own = isAlias ? alias : location.id;
  const id = given.imageId ?? given.id ?? own;
  const isNew = !pictures.has(id);
  // An id that is not one (a class, a user) would make every picture but the first vanish as "seen already".
  const pair = `${id}\0${uri}`;
  if (id !== own && !isNew && !givenIds.has(pair))
    return `expected one picture per id, received ${quote(path)} with the id ${quote(id)} of another`;

  // Captions that came before their picture have the first numbers.
  if (isNew && givenIds.has(id)) for (let left = givenIds.next(id); left >= 0; left--) pictures.next(id);
  const items = captionItems(given.captionId, captions, { id, uri, row }, { pictures, givenIds });
  if (typeof items === 'string') return items;
  if (id !== own && isNew) givenIds.add(pair);
  pictures.add(id);
  const isByRow = given.imageId === undefined && given.id !== undefined;
  if (isNew && isByRow && byRow?.files.add(uri) === false) byRow.notes.addSharedFile();
  if (isNew) into.push({ kind: 'image', id, uri, meta: row.meta });
  into.push(...items);
  return undefined;
}

interface Described {
  /** Id of the picture. */
  readonly id: string;
  readonly uri: string;
  readonly row: Row;
  /** Whether only its id is known. */
  readonly isElsewhere?: boolean;
}

/** The captions of a picture; a reason where two of them have one id. */
function captionItems(
  captionId: string | undefined,
  captions: readonly string[],
  { id: imageId, uri, row: { meta }, isElsewhere = false }: Described,
  { pictures, givenIds }: Pick<RowItemsOptions, 'pictures' | 'givenIds'>,
): CaptionItem[] | string {
  const items: CaptionItem[] = [];
  for (const [index, caption] of captions.entries()) {
    const own = captionId === undefined ? '' : idOfCaption(numbered(captionId, index), imageId, givenIds);
    const number = own !== undefined && !isElsewhere ? pictures.next(imageId) : 0;
    const id =
      captionId !== undefined
        ? own
        : isElsewhere
          ? numbered(imageId, givenIds.next(imageId))
          : `${imageId}#${number}`;
    if (id === undefined)
      return `expected one caption per id, received the id ${quote(captionId ?? '')} for a second caption of picture ${quote(imageId)}`;
    const item = { kind: 'caption', id, imageId, uri, caption, meta } as const;
    items.push(isElsewhere ? { ...item, imageSource: null } : item);
  }
  return items;
}

/**
 * The id of a caption by the one that its row gives: the same, or, where another picture has a caption of it (some data
 * sets count them anew for each), together with that of its picture. Undefined where the picture has one of this id.
 */
function idOfCaption(given: string, imageId: string, givenIds: Occurrences): string | undefined {
  if (!givenIds.add(`caption\0${imageId}\0${given}`)) return undefined;
  return givenIds.add(`caption\0${given}`) ? given : `${imageId}#${given}`;
}

function pushCaptionsAlone(
  row: Row,
  given: GivenIds,
  captions: readonly string[],
  { file, name, pictures, givenIds }: RowItemsOptions,
  into: Item[],
): string | undefined {
  const { line, meta } = row;
  if (given.imageId !== undefined) {
    const isElsewhere = !pictures.has(given.imageId);
    const place = { id: given.imageId, uri: file, row, isElsewhere };
    const items = captionItems(given.captionId, captions, place, { pictures, givenIds });
    if (typeof items === 'string') return items;
    into.push(...items);
    return undefined;
  }
  const own = given.captionId ?? given.id;
  for (const [index, caption] of captions.entries()) {
    const id = own === undefined ? numbered(`${name}:${line}`, index) : numbered(own, givenIds.next(own));
    into.push({ kind: 'caption', id, imageId: null, uri: file, caption, meta });
  }
  return undefined;
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

import { VlmoError } from '#errors.ts';
import type { CaptionRecord, GenerationTables, ImageRecord, RowReader } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import { byPlace } from '#store/item-key.ts';

/** Names something stored: by its id, with its source where several have it, or by its key. */
export type StoredName =
  | { readonly id: string; readonly source?: string | undefined }
  | { readonly key: string };

/** The name that a request has of what is stored; undefined where it asks by texts and pictures. */
export function storedName({
  id,
  source,
  key,
}: {
  readonly id?: string | undefined;
  readonly source?: string | undefined;
  readonly key?: string | undefined;
}): StoredName | undefined {
  if (key !== undefined) return { key };
  return id === undefined ? undefined : { id, source };
}

export type StoredItem =
  | { readonly kind: 'image'; readonly row: ImageRecord }
  | { readonly kind: 'caption'; readonly row: CaptionRecord };

/**
 * What is stored under a name; a picture before a caption, since an id may name one of each kind. Throws
 * SEARCH_ITEM_NOT_FOUND, and ID_AMBIGUOUS where several sources have the id.
 */
export async function findStored(
  { images, captions, record }: GenerationTables,
  name: StoredName,
): Promise<StoredItem> {
  const image = await findOne(images, name);
  if (image) return { kind: 'image', row: image };
  const caption = await findOne(captions, name);
  if (caption) return { kind: 'caption', row: caption };
  throw new VlmoError(
    'SEARCH_ITEM_NOT_FOUND',
    `Cannot search by ${describe(name)}: expected what is stored in collection "${record.collection}", received what is not`,
  );
}

async function findOne<Row extends ImageRecord | CaptionRecord>(
  table: RowReader<Row>,
  name: StoredName,
): Promise<Row | undefined> {
  if ('key' in name) return (await table.find([name.key])).get(name.key);
  const found: Row[] = [];
  for await (const row of table.scan(anyOf('id', [name.id])))
    if (name.source === undefined || row.source === name.source) found.push(row);
  if (found.length < 2) return found[0];
  const sources = found.toSorted(byPlace).map(({ source }) => `"${source}"`);
  throw new VlmoError(
    'ID_AMBIGUOUS',
    `Cannot search by ${describe(name)}: ${sources.length} sources have it (${sources.join(', ')}); name one of them with --source`,
  );
}

function describe(name: StoredName): string {
  if ('key' in name) return `key "${name.key}"`;
  return `id "${name.id}"${name.source === undefined ? '' : ` of source "${name.source}"`}`;
}

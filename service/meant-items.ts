import { VlmoError } from '#errors.ts';
import { generationsOf, type MeantRows, type Removal } from '#runs/remove-items.ts';
import { parseFilter } from '#search/filter/filter.ts';
import type { FailureRecord, Filter, ItemKind, Store } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import type { Remove } from './remove-request.ts';

type Meant = Pick<Removal, 'images' | 'captions' | 'isListed'>;
type Kind = FailureRecord['kind'];

/** The rows and failures that a request names. Throws FILTER_INVALID, and ID_AMBIGUOUS where several sources have the id. */
export async function meantItems(store: Store, request: Remove): Promise<Meant> {
  const { id, key, keys = key === undefined ? undefined : [key], where } = request;
  const isMeant = kindsOf(request);
  if (keys !== undefined) return withKeys(keys, isMeant);
  if (id !== undefined) return withId(store, { ...request, id }, isMeant);
  return {
    images: isMeant('image') ? partOf(request, 'image') : 'none',
    captions: isMeant('caption') ? partOf(request, 'caption') : 'none',
    // A filter is about rows: of what is listed only the failures of these rows go.
    isListed: ({ kind, source }) =>
      where === undefined && isMeant(kind) && (request.source ?? source) === source,
  };
}

function kindsOf({ in: target, where }: Remove): (kind: Kind) => boolean {
  const only = target ?? (where === undefined ? undefined : 'images');
  if (only === undefined) return () => true;
  return (kind) => kind === (only === 'images' ? 'image' : 'caption');
}

function partOf({ source, where }: Remove, kind: ItemKind): MeantRows {
  const parts: Filter[] = [];
  if (source !== undefined) parts.push(anyOf('source', [source]));
  if (where !== undefined) parts.push(parseFilter(where, kind));
  return parts.length === 0 ? 'all' : { kind: 'and', parts };
}

function withKeys(keys: readonly string[], isMeant: (kind: Kind) => boolean): Meant {
  const rows = anyOf('key', keys);
  const named = new Set(keys);
  return {
    images: isMeant('image') ? rows : 'none',
    captions: isMeant('caption') ? rows : 'none',
    isListed: (failure) => named.has(failure.key) && isMeant(failure.kind),
  };
}

/** A picture before a caption, as a search by an id takes it, whether it is stored or listed as failed. */
async function withId(
  store: Store,
  { collection, id, source }: Remove & { readonly id: string },
  isMeant: (kind: Kind) => boolean,
): Promise<Meant> {
  const found: Record<Kind, Map<string, string>> = {
    image: new Map(),
    caption: new Map(),
    broken: new Map(),
  };
  const add = (kind: Kind, row: { readonly key: string; readonly source: string }): void => {
    if (isMeant(kind) && (source ?? row.source) === row.source) found[kind].set(row.key, row.source);
  };
  for (const { images, captions } of await generationsOf(store, collection)) {
    for await (const row of images.scan(anyOf('id', [id]))) add('image', row);
    for await (const row of captions.scan(anyOf('id', [id]))) add('caption', row);
  }
  for await (const failure of store.failures.scan(collection))
    if (failure.id === id) add(failure.kind, failure);
  const kind = (['image', 'caption', 'broken'] as const).find((one) => found[one].size > 0);
  if (kind === undefined) return { images: 'none', captions: 'none', isListed: () => false };
  const sources = [...found[kind].values()].toSorted();
  if (sources.length > 1)
    throw new VlmoError(
      'ID_AMBIGUOUS',
      `Cannot remove id "${id}": ${sources.length} sources have it (${sources.map((one) => `"${one}"`).join(', ')}); name one of them with --source`,
    );
  const [key = ''] = found[kind].keys();
  return withKeys([key], (one) => one === kind);
}

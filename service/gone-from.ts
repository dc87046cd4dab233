import { type GoneItems, Pass } from '#runs/pass.ts';
import { readBefore } from '#runs/read-before.ts';
import { activeTables } from '#search/active-tables.ts';
import type { Source } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import type { GoneOptions } from './contract.ts';
import type { IndexParts } from './index-parts.ts';
import { nameSource } from './source-name.ts';

/** Reads a source to its end and says what it no longer lists. Throws COLLECTION_NOT_FOUND, SOURCE_MOVED. */
export async function goneFrom(
  { store }: IndexParts,
  given: string | Source,
  options: GoneOptions = {},
): Promise<GoneItems> {
  const { collection = 'default', prune = false, signal = new AbortController().signal } = options;
  const tables = await activeTables(store, collection);
  const source = typeof given === 'string' ? await openSource(given, options.source) : given;
  const { sourceName = source.uri } = await nameSource(store, source, options);
  const pass = await Pass.begin(store, { collection, source: sourceName, run: null });
  const before = await readBefore(store, tables, sourceName);
  for await (const _ of pass.watch(source.items(signal, before))) signal.throwIfAborted();
  return pass.end({ prune, isDry: true, reading: source.report?.(), signal });
}

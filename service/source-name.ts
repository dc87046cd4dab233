import { requirePlace } from '#runs/require-place.ts';
import type { Source } from '#sources/item.ts';
import type { Store } from '#store/contract.ts';
import type { SourceNaming } from './contract.ts';

/** What the index knows a source by. Throws SOURCE_MOVED where it knows that name from another place. */
export async function nameSource(
  store: Store,
  source: Source,
  { sourceName, sourceMoved = false, imagesOf }: SourceNaming,
): Promise<Pick<SourceNaming, 'sourceName' | 'imagesOf'>> {
  // Killed in the middle, a renaming has to be over before the source is read under either name.
  const pending = store.isWritable ? await store.pendingRename() : undefined;
  if (pending) await store.renameSource(pending);
  if (!sourceMoved) await requirePlace(store, sourceName ?? source.uri, source.uri);
  return { sourceName, imagesOf };
}

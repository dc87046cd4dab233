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
  if (!sourceMoved) await requirePlace(store, sourceName ?? source.uri, source.uri);
  return { sourceName, imagesOf };
}

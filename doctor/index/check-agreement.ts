import { chunks } from '#batches.ts';
import type { CaptionRecord, FailureRecord, GenerationTables, Store } from '#store/contract.ts';
import { pictureKey } from '#store/item-key.ts';
import { KeySet } from './key-set.ts';
import type { NamedItems } from './named-items.ts';

/** Items that two tables of an index do not agree about. */
export interface Disagreements {
  readonly withoutPicture: NamedItems;
  readonly storedAndFailed: NamedItems;
}

const AT_ONCE = 1000;

/**
 * Finds what is stored and listed as failed at once, and captions whose picture is neither; `keys` are those of all rows
 * that are stored. Each is looked for once more: somebody may have written since those were read.
 */
export async function findDisagreements(
  store: Store,
  { record: { collection }, images, captions }: GenerationTables,
  keys: Readonly<Record<'image' | 'caption', KeySet>>,
  found: Disagreements,
): Promise<void> {
  const failed = new KeySet();
  async function* onBothSides(): AsyncGenerator<FailureRecord> {
    for await (const failure of store.failures.scan(collection)) {
      failed.add(failure.key);
      if (failure.kind !== 'broken' && keys[failure.kind].has(failure.key)) yield failure;
    }
  }
  async function* alone(): AsyncGenerator<CaptionRecord & { readonly picture: string }> {
    for await (const row of captions.scan()) {
      const picture = pictureKey(row);
      if (picture !== null && !keys.image.has(picture) && !failed.has(picture)) yield { ...row, picture };
    }
  }
  const listed = async (some: readonly string[]): Promise<Set<string>> =>
    new Set((await store.failures.find(collection, some)).map(({ key }) => key));

  for await (const some of chunks(onBothSides(), AT_ONCE)) {
    const these = some.map(({ key }) => key);
    const inFailures = await listed(these);
    const stored = new Set([...(await images.find(these)).keys(), ...(await captions.find(these)).keys()]);
    for (const failure of some)
      if (inFailures.has(failure.key) && stored.has(failure.key)) found.storedAndFailed.add(failure);
  }
  for await (const some of chunks(alone(), AT_ONCE)) {
    const pictures = some.map(({ picture }) => picture);
    const inFailures = await listed(pictures);
    const stored = await images.find(pictures);
    for (const row of some)
      if (!stored.has(row.picture) && !inFailures.has(row.picture))
        found.withoutPicture.add({ ...row, collection, kind: 'caption' });
  }
}

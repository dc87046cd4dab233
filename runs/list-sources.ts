import type { Store } from '#store/contract.ts';
import { anyOf } from '#store/filter.ts';
import { DEFAULT_SOURCE } from '#store/item-key.ts';
import { isFailedSource } from './failed-source.ts';

/** What a collection has of one source. */
export interface SourceCounts {
  readonly collection: string;
  readonly name: string;
  /** Where it lay when it was last read; null for items of jobs that no source gave. */
  readonly place: string | null;
  readonly images: number;
  readonly captions: number;
  readonly failed: number;
}

/** The sources of each collection, by what the generation that serves it holds. */
export async function listSources(store: Store): Promise<SourceCounts[]> {
  const found: SourceCounts[] = [];
  for (const collection of await store.collections()) {
    const record = await store.activeGeneration(collection);
    if (!record) continue;
    const { images, captions } = await store.tables(record);
    const places = await placesOf(store, collection);
    const failures = new Map<string, number>();
    for await (const { source } of store.failures.scan(collection))
      failures.set(source, (failures.get(source) ?? 0) + 1);
    for (const name of new Set([...places.keys(), ...failures.keys(), DEFAULT_SOURCE])) {
      const where = anyOf('source', [name]);
      const counts = { images: await images.count(where), captions: await captions.count(where) };
      const failed = failures.get(name) ?? 0;
      if (counts.images + counts.captions + failed === 0) continue;
      found.push({ collection, name, place: places.get(name) ?? null, ...counts, failed });
    }
  }
  return found;
}

async function placesOf(store: Store, collection: string): Promise<Map<string, string>> {
  const last = new Map<string, { readonly number: number; readonly place: string }>();
  for await (const run of store.runs.scan()) {
    if (run.collection !== collection || isFailedSource(run.source)) continue;
    const number = run.number ?? 0;
    if (number >= (last.get(run.source)?.number ?? 0)) last.set(run.source, { number, place: run.place });
  }
  return new Map(Array.from(last, ([name, { place }]) => [name, place]));
}

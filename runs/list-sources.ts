import type { Store } from '#store/contract.ts';
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
    const stored = { images: await images.countBySource(), captions: await captions.countBySource() };
    for (const name of new Set([...stored.images.keys(), ...stored.captions.keys(), ...failures.keys()])) {
      const counts = { images: stored.images.get(name) ?? 0, captions: stored.captions.get(name) ?? 0 };
      const failed = failures.get(name) ?? 0;
      found.push({ collection, name, place: places.get(name) ?? null, ...counts, failed });
    }
  }
  return found;
}

/** Where each source of a collection lay when it was read last. */
export async function placesOf(store: Store, collection: string): Promise<Map<string, string>> {
  const last = new Map<string, { readonly number: number; readonly place: string }>();
  for await (const run of store.runs.scan()) {
    if (run.collection !== collection || isFailedSource(run.source)) continue;
    const number = run.number ?? 0;
    if (number >= (last.get(run.source)?.number ?? 0)) last.set(run.source, { number, place: run.place });
  }
  return new Map(Array.from(last, ([name, { place }]) => [name, place]));
}

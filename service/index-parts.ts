import type { Store } from '#store/contract.ts';
import { openStore } from '#store/lance/open-store.ts';
import { LoadedGenerations } from './loaded-generations.ts';
import { openEmbeddingModel } from './open-target.ts';
import { openReranker } from './reranker.ts';
import { type IndexSettings, resolveSettings, type Settings } from './settings.ts';

export interface OpenIndexOptions extends IndexSettings {
  /** Makes the index where there is none. Default false: then that is STORE_NOT_FOUND. */
  readonly create?: boolean;
  /**
   * Whether it is to be written: then an index of an older format is brought up to date first, of which `note` is told,
   * as it is of a generation that another version's bundled model made, and of a model that cannot compute as it was asked to.
   * Default what `create` is; an index of today's format can be written in any case.
   */
  readonly write?: boolean;
  readonly note?: (line: string) => void;
}

/** What every call of an opened index works with. */
export interface IndexParts {
  readonly store: Store;
  readonly settings: Settings;
  readonly generations: LoadedGenerations;
  /** Told what a person should know of a call. */
  readonly note: (line: string) => void;
}

export async function openParts(
  folder: string,
  { create = false, write = create, note = () => undefined, ...given }: OpenIndexOptions,
): Promise<IndexParts> {
  const settings = resolveSettings(given);
  // Nothing is made for a model that cannot be used.
  if (create && settings.model !== undefined) await openEmbeddingModel(settings.model);
  if (settings.reranker !== undefined) await openReranker(settings.reranker);
  const store = await openStore(folder, { create, write, note });
  return { store, settings, generations: new LoadedGenerations(store, settings, note), note };
}

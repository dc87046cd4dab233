import { createFailedSource } from '#runs/failed-source.ts';
import { activeTables } from '#search/active-tables.ts';
import { unlessAborted } from '#until-aborted.ts';
import { answerEmbed } from './answer-embed.ts';
import { answerMatch } from './answer-match.ts';
import { answerSearchRequest } from './answer-search.ts';
import { Calls } from './calls.ts';
import type { OpenIndex } from './contract.ts';
import { countTokens } from './count-tokens.ts';
import { activateGeneration, dropGeneration } from './generations.ts';
import { type IndexParts, type OpenIndexOptions, openParts } from './index-parts.ts';
import { countItems, listItems } from './list-items.ts';
import { openReranker } from './reranker.ts';
import { findRun, listRuns } from './runs.ts';
import { warm } from './warm.ts';

/**
 * Opens the index in a folder. Any number of programs may have it open and write it at once; each call sees what was
 * committed before it. Models are loaded when they are first needed and stay, two at most. Nothing is printed, no
 * signal is listened to and no environment is read or set, but what names AWS for pictures at `s3://`.
 *
 *     await using index = await openIndex('my-index');
 *     const { hits } = await index.search({ text: 'red apple', k: 3 });
 *
 * Throws STORE_NOT_FOUND, STORE_FOLDER_OCCUPIED, STORE_VERSION_UNSUPPORTED, and CONFIG_INVALID for a path with
 * control characters. Node 22 has no `await using`: call `close`.
 */
export async function openIndex(folder: string, options: OpenIndexOptions = {}): Promise<OpenIndex> {
  return createIndex(await openParts(folder, options));
}

/** What a search does not need is loaded when it is called first: a lone search is mostly its start. */
export function createIndex(parts: IndexParts): OpenIndex {
  const { store, settings, generations } = parts;
  const calls = new Calls(settings.maxCalls);
  let closing: Promise<void> | undefined;
  async function end(): Promise<void> {
    await calls.settled();
    await generations[Symbol.asyncDispose]();
    await store.close();
  }
  const close = (): Promise<void> => {
    closing ??= end();
    return closing;
  };
  return {
    folder: store.localFolder ?? store.uri,
    id: store.id,
    search: (request, options) =>
      calls.answer(() => answerSearchRequest(parts, request, options), options?.signal),
    embed: (request, options) => calls.answer(() => answerEmbed(parts, request, options), options?.signal),
    match: (request, options) => calls.answer(() => answerMatch(parts, request, options), options?.signal),
    tokens: (texts, collection) => calls.track(() => countTokens(parts, texts, collection)),
    retrieve: (request, options) =>
      calls.track(async () => (await import('./answer-retrieve.ts')).answerRetrieve(parts, request, options)),
    pairs: (request, options) =>
      calls.track(async () => (await import('./answer-retrieve.ts')).answerPairs(parts, request, options)),
    index: (source, options) =>
      calls.track(async () => (await import('./index-into.ts')).indexInto(parts, source, options)),
    failed: (collection, run) => createFailedSource(store, collection, run),
    gone: (source, options) =>
      calls.track(async () => (await import('./gone-from.ts')).goneFrom(parts, source, options)),
    submit: (source, options) =>
      calls.track(async () => (await import('./submit-into.ts')).submitInto(parts, source, options)),
    remove: (request, options) =>
      calls.track(async () => (await import('./remove.ts')).removeFrom(parts, request, options)),
    sources: {
      list: () => calls.track(async () => (await import('#runs/list-sources.ts')).listSources(store)),
      rename: (from, to) =>
        calls.track(async () => (await import('./rename-source.ts')).renameIn(store, from, to)),
    },
    optimize: (options) =>
      unlessAborted(
        calls.track(async () => (await import('./optimize.ts')).optimizeIndex(parts, options)),
        options?.signal,
      ),
    measure: (options) =>
      unlessAborted(
        calls.track(async () => (await import('./measure.ts')).measureIndex(parts, options)),
        options?.signal,
      ),
    export: (request, options) =>
      calls.track(async () => (await import('./export-from.ts')).exportFrom(parts, request, options)),
    importVectors: (folder, options) =>
      calls.track(async () => (await import('./import-vectors.ts')).importVectors(parts, folder, options)),
    evaluate: (options) =>
      calls.track(async () => (await import('./answer-evaluate.ts')).answerEvaluate(parts, options)),
    calibrate: (options) =>
      calls.track(async () => (await import('./answer-calibrate.ts')).answerCalibrate(parts, options)),
    items: (options) => listItems(parts, options),
    item: async (name, collection) => (await import('./find-item.ts')).findItem(parts, name, collection),
    counts: (collection) => countItems(parts, collection),
    failures: (collection) => store.failures.scan(collection),
    runs: (now) => listRuns(store, now),
    cancel: (run) =>
      calls.track(async () => (await (await import('#runs/cancel.ts')).cancelRuns(store, run)).length > 0),
    run: (id, now) => findRun(store, id, now),
    relocateModel: async (folder) => (await import('./relocate-model.ts')).relocateModel(parts, folder),
    serving: async (collection = 'default') => (await activeTables(store, collection)).record,
    generations: () => store.generations(),
    activate: (name) => calls.track(() => activateGeneration(store, name)),
    drop: (name) => calls.track(() => dropGeneration(parts, name)),
    model: async (name) => (await import('./generation-info.ts')).generationModel(parts, name),
    reranker: async () => (settings.reranker === undefined ? undefined : openReranker(settings.reranker)),
    warm: (collection) => calls.track(() => warm(parts, collection)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

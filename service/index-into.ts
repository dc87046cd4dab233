import { pictureValues } from '#pictures/picture-spec.ts';
import { indexSource } from '#runs/index-source.ts';
import type { Source } from '#sources/item.ts';
import { openSource } from '#sources/open-source.ts';
import { unlessAborted } from '#until-aborted.ts';
import type { IndexCallOptions, Indexed } from './contract.ts';
import type { IndexParts } from './index-parts.ts';
import { insideRoots } from './inside-roots.ts';
import { openTarget } from './open-target.ts';
import { nameSource } from './source-name.ts';

/** Indexes a source in this process; its generation serves the collection from the moment the run is complete. */
export async function indexInto(
  parts: IndexParts,
  given: string | Source,
  options: IndexCallOptions = {},
): Promise<Indexed> {
  const { store, settings, generations } = parts;
  const {
    retryFailed = false,
    run,
    roots,
    verify,
    prune,
    signal = new AbortController().signal,
    onStart,
  } = options;
  const open = async () => {
    const opened = typeof given === 'string' ? await openSource(given, options.source) : given;
    const source = roots ? await insideRoots(opened, roots) : opened;
    const { record } = await openTarget(parts, { model: settings.model, ...options });
    return { source, record, named: await nameSource(store, source, options) };
  };
  const { source, record, named } = await unlessAborted(open(), signal);
  return generations.use(record, async (loaded) => {
    const load = Promise.all([loaded.model(), loaded.pools()]);
    const [model, { preprocess, inference }] = await unlessAborted(load, signal);
    const summary = await indexSource({
      ...{
        source,
        ...named,
        store,
        tables: loaded.tables,
        fetcher: loaded.fetcher,
        preprocess,
        inference,
        run,
        retryFailed,
        verify,
        prune,
        signal,
      },
      batchSize: await loaded.batchSize(),
      pictureBytes: pictureValues(model.picture),
      precision: inference.precision.precision,
      ...(onStart && { onStart }),
    });
    return { ...summary, generation: record };
  });
}

import { activeTables } from '#search/active-tables.ts';
import type { IndexParts } from './index-parts.ts';

/** Loads what the first request to a collection would wait for: threads with the model, and the vectors. */
export async function warm({ store, generations }: IndexParts, collection = 'default'): Promise<void> {
  const { record } = await activeTables(store, collection);
  await generations.use(record, async (loaded) => {
    await loaded.encoder();
    if ((await loaded.model()).canMatch) await loaded.crossEncoder();
    const { images, captions } = await loaded.scorers();
    const probe = new Float32Array(record.dimensions);
    await Promise.all([images.nearestIds(probe, { k: 1 }), captions.nearestIds(probe, { k: 1 })]);
  });
}

import { activeTables } from '#search/active-tables.ts';
import { isWithoutModel } from '#search/generation-model.ts';
import type { IndexParts } from './index-parts.ts';
import type { LoadedGeneration } from './loaded-generation.ts';

/** One transparent pixel, as PNG. */
const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);

/** Does once, on every thread, what the first requests to a collection would wait for. */
export async function warm(
  { store, generations, settings }: IndexParts,
  collection = 'default',
): Promise<void> {
  const { record } = await activeTables(store, collection);
  await generations.use(record, async (loaded) => {
    if (settings.model !== undefined || !isWithoutModel(record)) await warmModel(loaded);
    const { images, captions } = await loaded.scorers();
    const probe = new Float32Array(record.dimensions);
    await Promise.all([images.nearestIds(probe, { k: 1 }), captions.nearestIds(probe, { k: 1 })]);
  });
}

async function warmModel(loaded: LoadedGeneration): Promise<void> {
  const encoder = await loaded.encoder();
  await encoder.embedPictures([PICTURE]);
  if (await loaded.canMatch()) {
    const crossEncoder = await loaded.crossEncoder();
    // As many texts as threads: each gets one, and makes its session for pairs.
    const texts = Array.from({ length: crossEncoder.threads }, () => 'a');
    await crossEncoder.match([PICTURE], texts);
  }
}

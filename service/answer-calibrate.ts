import { calibrate } from '#evaluate/calibrate.ts';
import { readSplit } from '#evaluate/read-split.ts';
import { activeTables } from '#search/active-tables.ts';
import type { CalibratedModel, CalibrateOptions } from './contract.ts';
import type { IndexParts } from './index-parts.ts';
import { splitFilter } from './split-filter.ts';

/** Fits the match of a collection's model to its pairs, and keeps that; see `calibrate`. */
export async function answerCalibrate(
  { store, generations }: IndexParts,
  options: CalibrateOptions = {},
): Promise<CalibratedModel> {
  const { collection = 'default', where, sample = 500, seed = 1, onStart } = options;
  const { signal = new AbortController().signal } = options;
  const { record } = await activeTables(store, collection);
  return generations.use(record, async (loaded) => {
    const crossEncoder = await loaded.crossEncoder();
    const split = await readSplit(loaded.tables, splitFilter(where));
    const calibrated = await calibrate({ split, crossEncoder, sample, seed, signal, onStart });
    const { a, b, positives, negatives } = calibrated;
    const { fingerprint = record.fingerprint } = crossEncoder;
    const fittedAt = new Date();
    await store.calibrations.put({ fingerprint, a, b, collection, positives, negatives, fittedAt });
    return { ...calibrated, generation: record };
  });
}

import { VlmoError } from '#errors.ts';
import type { GenerationTables } from '#store/contract.ts';
import type { SearchTarget } from '../request.ts';
import type { RowScorer } from './exact-ranking.ts';

/**
 * The pictures or captions of a generation as their approximate index gives them: k whenever k match, by exact cosine,
 * but a few that belong among them may be missing. It takes the place of an exact scorer in any ranking. Throws
 * ANN_INDEX_MISSING where no index was built.
 *
 *     const images = await approximateScorer(tables, 'images');
 *     const hits = await images.nearest(query, { k: 10, where });
 */
export async function approximateScorer(
  tables: GenerationTables,
  target: SearchTarget,
  probes?: number,
): Promise<RowScorer> {
  const table = tables[target];
  if (!(await table.vectorIndex())) throw indexMissing(tables, target);
  return { nearest: (query, options) => table.nearestApproximate(query, { ...options, probes }) };
}

/** For whatever asks for the index of a table that has none. */
export function indexMissing({ record }: GenerationTables, target: SearchTarget): VlmoError {
  return new VlmoError(
    'ANN_INDEX_MISSING',
    `Cannot search ${target} of collection "${record.collection}" approximately: expected an approximate index, received none; build it with: vlmo optimize --ann --collection ${record.collection} --index …`,
  );
}

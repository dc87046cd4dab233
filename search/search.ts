import { createHash } from 'node:crypto';
import type { GenerationTables } from '#store/contract.ts';
import { type Cursor, digestOf, queryIn, readCursor, writeCursor } from './cursor.ts';
import { parseFilter } from './filter/filter.ts';
import { toHits } from './hits.ts';
import type { AskedParts } from './query.ts';
import { type Arranged, buildRanking, type SearchDeps } from './ranking/build-ranking.ts';
import type { Ranked } from './ranking/ranking.ts';
import type { SearchAnswer, SearchOrder } from './request.ts';

/** A query's vector [D] of unit length, or what makes it: alone where that has to give the same digits each time. */
type QueryVector = Float32Array | ((isAlone: boolean) => Promise<Float32Array>);

/**
 * The k best rows for a query, best first, ties by id, then source; k of them whenever k match. Rows written
 * or deleted between two pages make none come twice, and none be left out that was there. Throws FILTER_INVALID,
 * CURSOR_INVALID, ANN_INDEX_MISSING, and what embedding and re-ranking throw.
 */
export async function search(
  tables: GenerationTables,
  asks: QueryVector,
  request: SearchOrder & AskedParts,
  means: SearchDeps = {},
): Promise<Omit<SearchAnswer, 'calibrated'>> {
  const kind = request.in === 'images' ? 'image' : 'caption';
  const where = request.where === undefined ? undefined : parseFilter(request.where, kind);
  const { k, cursor } = request;
  const carried = cursor === undefined ? undefined : queryIn(cursor, tables.record.dimensions);
  const query = carried ?? (typeof asks === 'function' ? await asks(cursor !== undefined) : asks);
  // Only a first page is embedded beside others; what follows it has its vector, or embeds it alone.
  const isCarried = carried !== undefined || (means.sharesRuns === true && cursor === undefined);
  const asked = digestOf(isCarried ? undefined : query, whatDecides(tables, request, means.rerankedBy));
  const from = cursor === undefined ? undefined : readCursor(cursor, asked);
  const arranged = await buildRanking({ tables, kind, query, where, request, from }, means);
  // One more tells whether there is another page.
  const found = await arranged.ranking(k + 1);
  const rows = found.slice(0, k);
  const before = from?.before ?? 0;
  const isLast = found.length <= k;
  return {
    hits: await toHits(tables, rows, before),
    cursor: isLast
      ? null
      : writeCursor({ ...nextCursor(rows, arranged, from), ...(isCarried && { query }) }, asked),
    approximate: arranged.isApproximate,
  };
}

/** All of a request that decides the order, also what it may have one day; how long its pages are may change. */
function whatDecides(
  { record }: GenerationTables,
  request: SearchOrder & AskedParts,
  rerankedBy: string | undefined,
): readonly unknown[] {
  const { k, cursor, image, approximate, ...rest } = request;
  const all = { ...rest, image: pictureName(image), approximate: approximate === true, rerankedBy };
  const given = Object.entries(all).filter(([, value]) => value !== undefined);
  return [record.name, given.sort(([a], [b]) => (a < b ? -1 : 1))];
}

function pictureName(image: AskedParts['image']): string | undefined {
  return image instanceof Uint8Array ? createHash('sha256').update(image).digest('hex') : image;
}

/** Marks beyond this are forgotten, the oldest first, so that a cursor stays below 64 KiB. */
const MAX_SHOWN = 3500;

function nextCursor(
  rows: readonly Ranked[],
  { weights, pool, shown: mark }: Arranged,
  from: Cursor | undefined,
): Cursor {
  const last = rows.at(-1);
  if (!last) throw new Error('A page without a row has no next one: this is a bug');
  const shown = mark && [...(from?.shown ?? []), ...rows.map(mark)].slice(-MAX_SHOWN);
  return {
    position: { score: last.score, id: last.id, source: last.source },
    before: (from?.before ?? 0) + rows.length,
    ...(weights && { weights: [...weights] }),
    ...(pool && { pool: { score: pool.score, id: pool.id, source: pool.source } }),
    ...(shown && { shown }),
  };
}

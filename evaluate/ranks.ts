import { cut } from '#batches.ts';
import { halfToFloat } from '#float16.ts';
import type { Found } from '#scorer/score.ts';
import type { NearestOptions, VectorReader } from '#store/contract.ts';
import type { ItemPlace } from '#store/item-key.ts';
import { toPlaceText } from '#store/item-key.ts';

/** Queries scored in one call: as many rows of scores are in memory, never all. */
const QUERIES_AT_ONCE = 256;

/** What is asked for all rows of one table in another one. */
export interface Ranking<Row> {
  readonly queries: Pick<VectorReader<Row>, 'scanVectors'>;
  readonly where: NearestOptions['where'];
  /** Number of the picture that a query belongs to, by its place as a text; undefined for one that is not asked. */
  readonly pictureOf: ReadonlyMap<string, number>;
  nearestIds(vectors: Float32Array, options: NearestOptions): Promise<Found[][]>;
  readonly target: {
    readonly where: NearestOptions['where'];
    /** As `pictureOf`, of what is found: of the same picture is right. */
    readonly pictureOf: ReadonlyMap<string, number>;
  };
  /** So many of the first are told from what is further behind. */
  readonly depth: number;
  /** Most rows that are right for one query. */
  readonly mostRight: number;
  readonly signal: AbortSignal;
}

/** One query and the first of what it finds. */
export interface Answered<Row> {
  readonly row: Row;
  readonly picture: number;
  readonly candidates: readonly Candidate[];
}

export interface Candidate extends Found {
  readonly isRight: boolean;
}

/**
 * The first `depth` rows for each query, and whether they are right, ties counted against us: of rows with equal scores
 * the right ones come last.
 *
 * `depth + mostRight` rows are asked for: where the best right one is not among them, or ties with rows beyond them, at
 * least `depth` wrong ones are before it all the same.
 */
export async function* rankAll<Row extends ItemPlace>(asked: Ranking<Row>): AsyncGenerator<Answered<Row>> {
  const { queries, where, pictureOf, nearestIds, target, depth, mostRight, signal } = asked;
  for await (const { rows, halves } of queries.scanVectors(where)) {
    const width = halves.length / Math.max(1, rows.length);
    for (const places of cut([...rows.keys()], QUERIES_AT_ONCE)) {
      signal.throwIfAborted();
      const some = places.flatMap((at) => {
        const row = rows[at] as Row;
        const picture = pictureOf.get(toPlaceText(row));
        return picture === undefined ? [] : [{ row, at, picture }];
      });
      if (some.length === 0) continue;
      const vectors = new Float32Array(some.length * width);
      some.forEach(({ at }, i) => {
        vectors.set(halfToFloat(halves.subarray(at * width, (at + 1) * width)), i * width);
      });
      const found = await nearestIds(vectors, { k: depth + mostRight, where: target.where, signal });
      for (const [i, { row, picture }] of some.entries()) {
        const all = (found[i] ?? []).map((hit) => ({
          ...hit,
          isRight: target.pictureOf.get(hit.id) === picture,
        }));
        yield { row, picture, candidates: worstFirst(all).slice(0, depth) };
      }
    }
  }
}

/** By score; of equal ones the right ones last. */
export function worstFirst<T extends { readonly score: number; readonly isRight: boolean }>(
  candidates: readonly T[],
): T[] {
  return candidates.toSorted((a, b) => b.score - a.score || Number(a.isRight) - Number(b.isRight));
}

/** Wrong rows before the best right one; `Infinity` where none of the candidates is right. */
export function rankOf(candidates: readonly { readonly isRight: boolean }[]): number {
  const at = candidates.findIndex(({ isRight }) => isRight);
  return at < 0 ? Number.POSITIVE_INFINITY : at;
}

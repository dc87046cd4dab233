import { VlmoError } from '#errors.ts';
import type { Calibration } from '#model/calibration.ts';
import { type CrossEncoder, matchProbability, UNREAD } from '#model/cross-encoder.ts';
import type { PairLogits } from '#model/model.ts';
import { storedPicture } from '#model/picture-reader.ts';
import { byScore, type Ranked, type Ranking } from '#search/ranking/ranking.ts';
import type { MatchSubject } from './match-subject.ts';
import { requirePair } from './match-subject.ts';

export interface RerankOptions {
  readonly crossEncoder: CrossEncoder;
  /** What makes a probability of its logits; left out, the model's own, raw. It moves no row. */
  readonly calibration?: Calibration | undefined;
  /** What of the query is read together with each row. */
  readonly subject: MatchSubject;
  /** So many of the best are read again, and are all there is. */
  readonly first: number;
  /** Rows below this probability are left out, and those whose picture cannot be read any more. */
  readonly minMatch?: number | undefined;
  /** Told of a row whose picture cannot be read any more, and why. */
  readonly warn?: ((row: Ranked, reason: VlmoError) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The first rows of an order, each read again together with the query by the cross-encoder, in the order of its score, which
 * is made of its logits and the cosine.
 *
 * A row whose picture cannot be read any more stays: at the end, by cosine, its match null. The model runs once,
 * however often the order is asked. Throws USAGE_INVALID for a subject that rows cannot be read with.
 */
export function rerank(ranking: Ranking, options: RerankOptions): Ranking {
  let reading: Promise<readonly Ranked[]> | undefined;
  return async (k) => {
    reading ??= readAgain(ranking, options);
    try {
      return (await reading).slice(0, k);
    } catch (error) {
      reading = undefined; // it may go well the next time
      throw error;
    }
  };
}

async function readAgain(
  ranking: Ranking,
  { crossEncoder, calibration, subject, first, minMatch, warn, signal }: RerankOptions,
): Promise<readonly Ranked[]> {
  const rows = await ranking(first);
  const found = await matchAll(crossEncoder, subject, rows, signal);
  const read = rows.map((row, i) => {
    const logits = found[i];
    if (logits instanceof VlmoError) warn?.(row, logits);
    const read = logits instanceof VlmoError ? undefined : logits;
    return {
      ...row,
      score: crossEncoder.score(read ?? UNREAD, row.cosine),
      match: read ? matchProbability(read, calibration) : null,
    };
  });
  const kept =
    minMatch === undefined ? read : read.filter(({ match }) => match !== null && match >= minMatch);
  return kept.sort(byScore);
}

async function matchAll(
  crossEncoder: CrossEncoder,
  subject: MatchSubject,
  rows: readonly Ranked[],
  signal: AbortSignal | undefined,
): Promise<readonly (PairLogits | VlmoError)[]> {
  for (const { kind } of rows) requirePair(subject, kind);
  if (rows.length === 0) return [];
  if (subject.kind === 'text') {
    const pictures = rows.map(({ row }) => storedPicture(row));
    return crossEncoder.match(pictures, [subject.text], { signal });
  }
  const captions = rows.map(({ row }) => ('caption' in row ? row.caption : ''));
  const found = await crossEncoder.match([subject.picture], captions, { signal });
  // The query's own picture, and not one of a row.
  if (found[0] instanceof VlmoError) throw found[0];
  return found;
}

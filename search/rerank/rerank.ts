import { VlmoError } from '#errors.ts';
import type { CrossEncoder } from '#model/cross-encoder.ts';
import { byScore, type Ranked, type Ranking } from '#search/ranking/ranking.ts';
import type { MatchSubject } from './match-subject.ts';
import { requirePair } from './match-subject.ts';

export interface RerankOptions {
  readonly crossEncoder: CrossEncoder;
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
 * The first rows of an order, each read again together with the query by the fusion encoder, in the order of
 *
 *     score = (logit[1] - logit[0]) + exp(logit_scale) * cosine
 *
 * Both are log-likelihoods, one of the pair against no pair, one of the row against other rows; training/README.md
 * has what the sum finds. The published evaluation adds logit[1] and the cosine itself, which then counts next to
 * nothing beside logits.
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

/** Log-odds of rows that were not read: below all that an ITM head says. */
const UNREAD = -1000;

async function readAgain(
  ranking: Ranking,
  { crossEncoder, subject, first, minMatch, warn, signal }: RerankOptions,
): Promise<readonly Ranked[]> {
  const rows = await ranking(first);
  const found = await matchAll(crossEncoder, subject, rows, signal);
  const read = rows.map((row, i) => {
    const odds = found[i];
    const isRead = typeof odds === 'number';
    if (odds instanceof VlmoError) warn?.(row, odds);
    return {
      ...row,
      score: (isRead ? odds : UNREAD) + crossEncoder.scale * row.cosine,
      match: isRead ? 1 / (1 + Math.exp(-odds)) : null,
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
): Promise<readonly (number | VlmoError)[]> {
  for (const { kind } of rows) requirePair(subject, kind);
  if (rows.length === 0) return [];
  if (subject.kind === 'text') {
    const uris = rows.map(({ row }) => row.uri);
    return crossEncoder.match(uris, [subject.text], { signal });
  }
  const captions = rows.map(({ row }) => ('caption' in row ? row.caption : ''));
  const found = await crossEncoder.match([subject.picture], captions, { signal });
  // The query's own picture, and not one of a row.
  if (found[0] instanceof VlmoError) throw found[0];
  return found;
}

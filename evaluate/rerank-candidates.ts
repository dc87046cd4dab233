import type { CrossEncoder } from '#model/cross-encoder.ts';
import type { CaptionRecord, GenerationTables, ImageRecord } from '#store/contract.ts';
import { type Candidate, worstFirst } from './ranks.ts';

/** Log-odds of what was not read: below all that an ITM head says. */
const UNREAD = -1000;

/** A candidate with the log-odds that it and the query belong together; undefined where a picture could not be read. */
export interface ReadCandidate extends Candidate {
  readonly odds: number | undefined;
}

/** Reads candidates together with the query; `isText`: a text finds pictures. */
export async function readCandidates(
  crossEncoder: CrossEncoder,
  { images, captions }: GenerationTables,
  row: ImageRecord | CaptionRecord,
  candidates: readonly Candidate[],
  signal: AbortSignal,
): Promise<ReadCandidate[]> {
  if (candidates.length === 0) return [];
  const addresses = candidates.map(({ address }) => address);
  if ('caption' in row) {
    const rows = await images.rowsAt(addresses);
    const there = candidates.filter(({ address }) => rows.has(address));
    const uris = there.map(({ address }) => rows.get(address)?.uri ?? '');
    return withOdds(candidates, there, await crossEncoder.match(uris, [row.caption], { signal }));
  }
  const rows = await captions.rowsAt(addresses);
  const there = candidates.filter(({ address }) => rows.has(address));
  const texts = there.map(({ address }) => rows.get(address)?.caption ?? '');
  return withOdds(candidates, there, await crossEncoder.match([row.uri], texts, { signal }));
}

function withOdds(
  candidates: readonly Candidate[],
  there: readonly Candidate[],
  found: readonly unknown[],
): ReadCandidate[] {
  const odds = new Map(there.map(({ address }, i) => [address, found[i]]));
  return candidates.map((candidate) => {
    const value = odds.get(candidate.address);
    return { ...candidate, odds: typeof value === 'number' ? value : undefined };
  });
}

/** The first `k` in the order of a re-ranked search, ties against us; see `rerank`. */
export function reorder(candidates: readonly ReadCandidate[], k: number, scale: number): ReadCandidate[] {
  const read = candidates
    .slice(0, k)
    .map((candidate) => ({ ...candidate, score: (candidate.odds ?? UNREAD) + scale * candidate.score }));
  return worstFirst(read);
}

import { VlmoError } from '#errors.ts';
import { type CrossEncoder, UNREAD } from '#model/cross-encoder.ts';
import type { PairLogits, PairScore } from '#model/model.ts';
import { storedPicture } from '#model/picture-reader.ts';
import type { CaptionRecord, GenerationTables, ImageRecord } from '#store/contract.ts';
import { type Candidate, worstFirst } from './ranks.ts';

/** A candidate with the logits of it and the query; undefined where a picture could not be read. */
export interface ReadCandidate extends Candidate {
  readonly logits: PairLogits | undefined;
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
    const pictures = there.map(({ address }) => storedPicture(rows.get(address) ?? { uri: '' }));
    return withLogits(candidates, there, await crossEncoder.match(pictures, [row.caption], { signal }));
  }
  const rows = await captions.rowsAt(addresses);
  const there = candidates.filter(({ address }) => rows.has(address));
  const texts = there.map(({ address }) => rows.get(address)?.caption ?? '');
  return withLogits(candidates, there, await crossEncoder.match([storedPicture(row)], texts, { signal }));
}

function withLogits(
  candidates: readonly Candidate[],
  there: readonly Candidate[],
  found: readonly (PairLogits | VlmoError)[],
): ReadCandidate[] {
  const read = new Map(there.map(({ address }, i) => [address, found[i]]));
  return candidates.map((candidate) => {
    const logits = read.get(candidate.address);
    return { ...candidate, logits: logits instanceof VlmoError ? undefined : logits };
  });
}

/** The first `k` in the order of a re-ranked search, ties against us; see `rerank`. */
export function reorder(candidates: readonly ReadCandidate[], k: number, score: PairScore): ReadCandidate[] {
  const read = candidates
    .slice(0, k)
    .map((candidate) => ({ ...candidate, score: score(candidate.logits ?? UNREAD, candidate.score) }));
  return worstFirst(read);
}

import type { VlmoError } from '#errors.ts';
import type { Calibration } from '#model/calibration.ts';
import type { CrossEncoder } from '#model/cross-encoder.ts';
import type { Encoder } from '#model/encoder.ts';
import type { GenerationTables } from '#store/contract.ts';
import { embedQuery } from './query.ts';
import type { SearchDeps } from './ranking/build-ranking.ts';
import type { Ranked } from './ranking/ranking.ts';
import type { Search, SearchAnswer } from './request.ts';
import { findSubject } from './rerank/match-subject.ts';
import { rerank } from './rerank/rerank.ts';
import { search } from './search.ts';
import { storedName } from './stored-item.ts';

/** What a search is answered with. Models are asked for only where the request needs them. */
export interface AnswerDeps extends Pick<SearchDeps, 'scorers' | 'sharesRuns' | 'signal'> {
  encoder(): Promise<Encoder>;
  crossEncoder(): Promise<CrossEncoder>;
  /** Of what the cross-encoder says; undefined where there is none. */
  calibration?(crossEncoder: CrossEncoder): Promise<Calibration | undefined>;
  /** Told of a row whose picture cannot be read any more, and why. */
  readonly warn?: ((row: Ranked, reason: VlmoError) => void) | undefined;
}

/**
 * Answers a search: embeds what is asked, ranks, and reads the first rows again where that is wanted. What rows cannot be
 * read with is refused before anything is embedded. Throws what `embedQuery`, `findSubject`, `search` and `rerank` throw.
 */
export async function answerSearch(
  tables: GenerationTables,
  request: Search,
  deps: AnswerDeps,
): Promise<SearchAnswer> {
  const { signal } = deps;
  const reranking = request.rerank === undefined ? undefined : await planReranking(tables, request, deps);
  const embed = (isAlone: boolean): Promise<Float32Array> =>
    embedQuery(tables, request, () => deps.encoder(), { signal, isAlone });
  const sharesRuns = deps.sharesRuns === true && storedName(request) === undefined;
  const { calibrated = false, ...order } = reranking ?? {};
  const answer = await search(tables, embed, request, {
    scorers: deps.scorers,
    ...order,
    sharesRuns,
    signal,
  });
  return { ...answer, calibrated };
}

async function planReranking(
  tables: GenerationTables,
  request: Search,
  { crossEncoder: load, calibration: findCalibration, warn, signal }: AnswerDeps,
): Promise<Pick<SearchDeps, 'rerank' | 'rerankedBy'> & { readonly calibrated: boolean }> {
  const subject = await findSubject(tables, request);
  const crossEncoder = await load();
  const calibration = await findCalibration?.(crossEncoder);
  return {
    rerank: (ranking, first, minMatch) =>
      rerank(ranking, { crossEncoder, calibration, subject, first, minMatch, warn, signal }),
    rerankedBy: crossEncoder.fingerprint,
    calibrated: calibration !== undefined,
  };
}

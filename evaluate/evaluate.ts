import { VlmoError } from '#errors.ts';
import type { CrossEncoder } from '#model/cross-encoder.ts';
import type { Found } from '#scorer/score.ts';
import type { CaptionRecord, ImageRecord, NearestOptions } from '#store/contract.ts';
import { type Answered, type Ranking, rankAll, rankOf } from './ranks.ts';
import type { Split } from './read-split.ts';
import { RECALL_KS, type Recall, RecallCount } from './recall.ts';
import { readCandidates, reorder } from './rerank-candidates.ts';

type NearestIds = (vectors: Float32Array, options: NearestOptions) => Promise<Found[][]>;

export interface Evaluating {
  readonly split: Split;
  /** What finds the exact nearest rows of either table. */
  readonly nearest: { readonly images: NearestIds; readonly captions: NearestIds };
  /** How many of the first are read again, each a result of its own; beside the one by cosine alone. */
  readonly rerank: readonly number[];
  /** Called where `rerank` asks for one. */
  readonly crossEncoder: () => Promise<CrossEncoder>;
  /** Of the bootstrap's samples. */
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onStart?: ((progress: () => EvaluationProgress) => void) | undefined;
}

export interface EvaluationProgress {
  readonly done: number;
  /** Queries: captions, and pictures that have some. */
  readonly queries: number;
}

/** Recall both ways, in one order of the hits. */
export interface EvaluatedOrder {
  /** How many of the first were read again by the fusion encoder; null for the order by cosine. */
  readonly rerank: number | null;
  /** Captions that find their picture. */
  readonly imageRetrieval: readonly Recall[];
  /** Pictures that find any of their captions. */
  readonly textRetrieval: readonly Recall[];
}

export interface Evaluated {
  readonly orders: readonly EvaluatedOrder[];
  /** Pairs that could not be read together, since the picture could not be read any more; they count as the last. */
  readonly unread: number;
}

/** Least depth of re-ranking: what is behind it stays where it was, so recall@10 has to lie within. */
export const MIN_RERANK = Math.max(...RECALL_KS);

/**
 * Karpathy's protocol over stored vectors: each caption looks for its picture among all pictures, each picture for any of
 * its captions among all captions, ties against us. Scores of 256 queries are in memory at a time, never all.
 * Throws EVALUATION_EMPTY, MODEL_HEAD_MISSING, the signal's reason, and what scoring and reading the store throw.
 */
export async function evaluateSplit(asked: Evaluating): Promise<Evaluated> {
  const { split, rerank, seed, signal, onStart } = asked;
  const { tables, pictures, captions, captionCounts, where } = split;
  const queries = captions.size + captionCounts.filter((count) => count > 0).length;
  if (captions.size === 0) throw empty(split);
  const crossEncoder = rerank.length > 0 ? await asked.crossEncoder() : undefined;
  let done = 0;
  let unread = 0;
  onStart?.(() => ({ done, queries }));
  const depth = Math.max(...RECALL_KS, ...rerank);

  async function count<Row extends ImageRecord | CaptionRecord>(
    ranking: Omit<Ranking<Row>, 'depth' | 'signal'>,
  ): Promise<readonly RecallCount[]> {
    const counts = [null, ...rerank].map(() => new RecallCount(pictures.size));
    for await (const answered of rankAll({ ...ranking, depth, signal })) {
      const ranks = [
        rankOf(answered.candidates),
        ...(crossEncoder ? await reread(crossEncoder, answered) : []),
      ];
      for (const [i, rank] of ranks.entries()) counts[i]?.add(answered.picture, rank);
      done += 1;
    }
    return counts;
  }

  async function reread<Row extends ImageRecord | CaptionRecord>(
    encoder: CrossEncoder,
    { row, candidates }: Answered<Row>,
  ): Promise<number[]> {
    const read = await readCandidates(encoder, tables, row, candidates, signal);
    unread += read.filter(({ logits }) => logits === undefined).length;
    return rerank.map((first) => rankOf(reorder(read, first, encoder.score)));
  }

  const askedPictures = withCaptions(pictures, captionCounts);
  const images = await count<CaptionRecord>({
    ...{ queries: tables.captions, where: where.captions, pictureOf: captions },
    ...{
      nearestIds: asked.nearest.images,
      target: { where: where.images, pictureOf: pictures },
      mostRight: 1,
    },
  });
  const texts = await count<ImageRecord>({
    ...{ queries: tables.images, where: where.images, pictureOf: askedPictures },
    nearestIds: asked.nearest.captions,
    target: { where: where.captions, pictureOf: captions },
    mostRight: captionCounts.reduce((most, some) => Math.max(most, some), 0),
  });
  const orders = [null, ...rerank].map((first, i) => ({
    rerank: first,
    imageRetrieval: images[i]?.recalls(seed) ?? [],
    textRetrieval: texts[i]?.recalls(seed) ?? [],
  }));
  return { orders, unread };
}

/** Pictures without a caption are found, but have nothing to find. */
function withCaptions(pictures: ReadonlyMap<string, number>, counts: Uint32Array): Map<string, number> {
  return new Map([...pictures].filter(([, picture]) => (counts[picture] ?? 0) > 0));
}

function empty({ tables, pictures, alone }: Split): VlmoError {
  const { collection } = tables.record;
  return new VlmoError(
    'EVALUATION_EMPTY',
    `Cannot evaluate collection "${collection}": expected pictures with captions of theirs, received ${pictures.size} pictures and ${alone} captions of none`,
  );
}

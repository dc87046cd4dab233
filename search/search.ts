import type { CaptionRecord, GenerationTables, ImageRecord, ItemKind, Neighbour } from '#store/contract.ts';
import { compileFilter } from './filter.ts';

export type SearchTarget = 'images' | 'captions';

export interface SearchRequest {
  readonly in: SearchTarget;
  /** How many hits at most. */
  readonly k: number;
  /** A filter on columns and meta, applied before scoring. */
  readonly where?: string | undefined;
  /** Hits below this cosine are left out. */
  readonly minScore?: number | undefined;
}

export interface Hit {
  /** From 1. */
  readonly rank: number;
  readonly id: string;
  readonly kind: ItemKind;
  readonly uri: string;
  /** The caption found, or the first caption of the picture found; null where it has none. */
  readonly caption: string | null;
  /** Cosine of query and hit. */
  readonly score: number;
}

/** The k best rows for a query vector [D] of unit length: exact, best first, ties by id. Throws FILTER_INVALID. */
export async function search(
  tables: GenerationTables,
  query: Float32Array,
  request: SearchRequest,
): Promise<Hit[]> {
  const kind = request.in === 'images' ? 'image' : 'caption';
  const options = {
    k: request.k,
    where: request.where === undefined ? undefined : compileFilter(request.where, kind),
  };
  const found =
    kind === 'image'
      ? await imageHits(tables, await tables.images.nearest(query, options))
      : captionHits(await tables.captions.nearest(query, options));
  const least = request.minScore ?? Number.NEGATIVE_INFINITY;
  return found.filter(({ score }) => score >= least).map((hit, i) => ({ rank: i + 1, ...hit }));
}

type Unranked = Omit<Hit, 'rank'>;

async function imageHits(
  { captions }: GenerationTables,
  found: readonly Neighbour<ImageRecord>[],
): Promise<Unranked[]> {
  const texts = await captions.firstOfImages(found.map(({ row }) => row.id));
  return found.map(({ row: { id, uri }, score }) => ({
    id,
    kind: 'image',
    uri,
    caption: texts.get(id) ?? null,
    score,
  }));
}

function captionHits(found: readonly Neighbour<CaptionRecord>[]): Unranked[] {
  return found.map(({ row: { id, uri, caption }, score }) => ({ id, kind: 'caption', uri, caption, score }));
}

import type { TestContext } from 'node:test';
import { floatToHalf, halfToFloat } from '#float16.ts';
import type { CaptionRecord, GenerationTables, ImageRecord } from '#store/contract.ts';
import { seededRandom } from '../fixtures/files.ts';
import {
  captionKeys,
  captionRow,
  generationSpec,
  imageKeys,
  imageRow,
  temporaryStore,
  unitVectors,
} from '../store/lance/store-fixture.ts';

export const DIMENSIONS = 8;
/** The rarer, the later; their plurals are other words with the same stem. */
const VOCABULARY = ['red', 'dog', 'apple', 'boat', 'violin'];

/** A row with what is stored of its vector, as a test knows it. */
export interface Known<Row> {
  readonly row: Row;
  readonly vector: Float32Array;
}

/** What a store should hold, and holds: every write goes to both. */
export interface Corpus {
  readonly tables: GenerationTables;
  readonly images: Map<string, Known<ImageRecord>>;
  readonly captions: Map<string, Known<CaptionRecord>>;
  addImages(rows: readonly ImageRecord[], vectors?: Float32Array): Promise<void>;
  addCaptions(rows: readonly CaptionRecord[], vectors?: Float32Array): Promise<void>;
  deleteImages(ids: readonly string[]): Promise<void>;
  deleteCaptions(ids: readonly string[]): Promise<void>;
  readonly random: () => number;
  /** A vector of unit length that many rows share, or one of its own. */
  vectors(count: number): Float32Array;
}

export async function emptyCorpus(t: TestContext, seed = 1): Promise<Corpus> {
  const tables = await (await temporaryStore(t)).openGeneration(generationSpec({ dimensions: DIMENSIONS }));
  const random = seededRandom(seed);
  const shared = unitVectors(6, DIMENSIONS, random);
  const images = new Map<string, Known<ImageRecord>>();
  const captions = new Map<string, Known<CaptionRecord>>();
  function vectors(count: number): Float32Array {
    const all = unitVectors(count, DIMENSIONS, random);
    for (let i = 0; i < count; i++) {
      if (random() < 0.5) continue;
      const from = Math.floor(random() * 6) * DIMENSIONS;
      all.set(shared.subarray(from, from + DIMENSIONS), i * DIMENSIONS);
    }
    return all;
  }
  return {
    ...{ tables, images, captions, random, vectors },
    async addImages(rows, given = vectors(rows.length)) {
      await tables.images.upsert({ rows, vectors: given });
      note(images, rows, given);
    },
    async addCaptions(rows, given = vectors(rows.length)) {
      await tables.captions.upsert({ rows, vectors: given });
      note(captions, rows, given);
    },
    async deleteImages(ids) {
      await tables.images.delete(imageKeys(ids));
      for (const id of ids) images.delete(id);
    },
    async deleteCaptions(ids) {
      await tables.captions.delete(captionKeys(ids));
      for (const id of ids) captions.delete(id);
    },
  };
}

/** Pictures, each with none to four captions of words of the vocabulary, and captions of no picture; many equal vectors. */
export async function randomCorpus(t: TestContext, pictures: number, seed = 1): Promise<Corpus> {
  const corpus = await emptyCorpus(t, seed);
  await corpus.addImages(newImages(corpus, pictures, 'p'));
  const ids = [...corpus.images.keys(), null, null, null];
  await corpus.addCaptions(
    ids.flatMap((id, i) => newCaptions(corpus, id, Math.floor(corpus.random() * 5), `c${i}`)),
  );
  return corpus;
}

export function newImages({ random }: Corpus, count: number, prefix: string): ImageRecord[] {
  return Array.from({ length: count }, () => {
    const id = `${prefix}${Math.floor(random() * 1e9)}`;
    return imageRow(id, { width: Math.floor(random() * 4), meta: { n: Math.floor(random() * 10) } });
  });
}

export function newCaptions(
  corpus: Corpus,
  imageId: string | null,
  count: number,
  prefix: string,
): CaptionRecord[] {
  return Array.from({ length: count }, (_, i) =>
    captionRow(`${prefix}-${Math.floor(corpus.random() * 1e6)}#${i}`, {
      imageId,
      caption: someWords(corpus.random),
      meta: { n: Math.floor(corpus.random() * 10) },
    }),
  );
}

function someWords(random: () => number): string {
  const words = VOCABULARY.flatMap((word, i) => {
    if (random() > 0.5 / (i + 1)) return [];
    const written = random() < 0.5 ? word : `${word[0]?.toUpperCase()}${word.slice(1)}s`;
    return [written];
  });
  return ['the', ...words, 'thing,'].join(' ');
}

export function queryVector({ random }: Corpus): Float32Array {
  return unitVectors(1, DIMENSIONS, random);
}

/** Cosine of a query and what is stored, in float64. */
export function cosine(query: Float32Array, { vector }: Known<unknown>): number {
  return query.reduce((sum, value, i) => sum + value * (vector[i] ?? Number.NaN), 0);
}

function note<Row extends { readonly id: string }>(
  known: Map<string, Known<Row>>,
  rows: readonly Row[],
  vectors: Float32Array,
): void {
  const stored = halfToFloat(floatToHalf(vectors));
  for (const [i, row] of rows.entries()) {
    known.set(row.id, { row, vector: stored.slice(i * DIMENSIONS, (i + 1) * DIMENSIONS) });
  }
}

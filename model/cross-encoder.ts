import pMap from 'p-map';
import { cut } from '#batches.ts';
import { VlmoError } from '#errors.ts';
import { type Calibration, probabilityOf } from './calibration.ts';
import type { PairLogits, PairScore } from './model.ts';
import { createPixelReader, type MatchPicture, type PictureReader } from './picture-reader.ts';
import type { Runner, RunOptions } from './runner.ts';
import type { TokenCache } from './token-cache.ts';
import { createTokenReader } from './token-reader.ts';

/** What reads a picture and a text together. */
export interface CrossEncoder {
  /** What pairs are put in order by. */
  readonly score: PairScore;
  /** Runs of the model side by side. */
  readonly threads: number;
  /** Of a model that is not the one that found the candidates; undefined where it is. */
  readonly fingerprint: string | undefined;
  /**
   * Logits of each picture and text belonging apart and together: one text with each of several pictures, or one picture
   * with each of several texts. For a picture that cannot be read, why not.
   */
  match(
    pictures: readonly MatchPicture[],
    texts: readonly string[],
    options?: RunOptions,
  ): Promise<readonly (PairLogits | VlmoError)[]>;
}

export interface CrossEncoderOptions {
  /** Keeps what a model makes of pictures, where it reads them apart from texts. */
  readonly cache?: TokenCache | undefined;
  /** Of a model that is not the one that found the candidates. */
  readonly fingerprint?: string | undefined;
}

/** Pairs of a batch at most: more gain nothing, and their values leave the cache. */
const MAX_PAIRS = 8;

/** A cross-encoder of what runs the model: this thread, or the pools. Throws MODEL_HEAD_MISSING before anything is loaded. */
export async function createCrossEncoder(
  runner: Runner,
  { cache, fingerprint }: CrossEncoderOptions = {},
): Promise<CrossEncoder> {
  const { pictureTokens, score } = runner.model.requireMatching();
  if (pictureTokens !== null && !cache)
    throw new Error('A model that makes tokens of pictures, and no cache: this is a bug');
  const reader =
    pictureTokens !== null && cache ? createTokenReader(runner, cache) : createPixelReader(runner);
  return {
    score: await score(),
    threads: runner.threads,
    fingerprint,
    match(pictures, texts, options) {
      const [text] = texts;
      const [picture] = pictures;
      if (texts.length === 1 && text !== undefined)
        return matchPictures(runner, reader, pictures, text, options);
      if (pictures.length === 1 && picture !== undefined)
        return matchTexts(runner, reader, picture, texts, options);
      throw new Error(`${pictures.length} pictures with ${texts.length} texts: this is a bug`);
    },
  };
}

/** Logits of pairs that could not be read: below all that a head says. */
export const UNREAD: PairLogits = { apart: 0, together: -1000 };

/**
 * Probability that a picture and a text belong together: without a calibration the softmax of the head's two logits, which
 * is called raw. The one place where logits become a probability.
 */
export function matchProbability({ apart, together }: PairLogits, calibration?: Calibration): number {
  return probabilityOf(together - apart, calibration);
}

async function matchPictures(
  runner: Runner,
  reader: PictureReader,
  pictures: readonly MatchPicture[],
  text: string,
  options?: RunOptions,
): Promise<readonly (PairLogits | VlmoError)[]> {
  const found: (PairLogits | VlmoError)[] = [];
  await inBatches(runner, [...pictures.keys()], async (batch) => {
    const some = batch.map((i) => pictures[i] as MatchPicture);
    const read = await reader.read(some, options);
    const logits = read.count === 0 ? [] : pairs(await runner.run(read.withTexts([text]), options));
    batch.forEach((i, at) => {
      const place = read.places[at] as number | VlmoError;
      found[i] = typeof place === 'number' ? (logits[place] as PairLogits) : place;
    });
  });
  return found;
}

/** Throws nothing for a picture that cannot be read: no text has a match with it then. */
async function matchTexts(
  runner: Runner,
  reader: PictureReader,
  picture: MatchPicture,
  texts: readonly string[],
  options?: RunOptions,
): Promise<readonly (PairLogits | VlmoError)[]> {
  const read = await reader.read([picture], options);
  const [place] = read.places;
  if (place instanceof VlmoError) return texts.map(() => place);
  const found: PairLogits[] = [];
  // Those of a length together: a batch is padded to its longest.
  const order = [...texts.keys()].sort((a, b) => (texts[a]?.length ?? 0) - (texts[b]?.length ?? 0));
  await inBatches(runner, order, async (batch) => {
    const some = batch.map((i) => texts[i] ?? '');
    const logits = pairs(await runner.run(read.withTexts(some), options));
    batch.forEach((i, at) => {
      found[i] = logits[at] as PairLogits;
    });
  });
  return found;
}

/**
 * Work in batches: as many for each thread, never more than are good for a run, and one more than the model computes,
 * which is decoded meanwhile. Where one fails no other is begun, and those under way are waited for: nothing goes on
 * behind the back of who caught the error.
 */
async function inBatches(
  { threads }: Runner,
  places: readonly number[],
  work: (batch: readonly number[]) => Promise<void>,
): Promise<void> {
  const size = Math.min(MAX_PAIRS, Math.ceil(places.length / threads));
  const errors: unknown[] = [];
  await pMap(
    cut(places, Math.max(1, size)),
    async (batch) => {
      if (errors.length > 0) return;
      await work(batch).catch((error: unknown) => errors.push(error));
    },
    { concurrency: threads + 1 },
  );
  if (errors.length > 0) throw errors[0];
}

/** [B, 2] -> [B]. */
function pairs(logits: Float32Array): readonly PairLogits[] {
  return Array.from({ length: logits.length / 2 }, (_, i) => ({
    apart: logits[2 * i] as number,
    together: logits[2 * i + 1] as number,
  }));
}

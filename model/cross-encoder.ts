import pMap from 'p-map';
import { cut } from '#batches.ts';
import { VlmoError } from '#errors.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import type { PictureInput, Runner, RunOptions } from './runner.ts';

/** What reads a picture and a text together. */
export interface CrossEncoder {
  /** What a cosine counts beside log-odds. */
  readonly scale: number;
  /**
   * Log-odds that each picture and text belong together: one text with each of several pictures, or one picture with
   * each of several texts. For a picture that cannot be read, why not.
   */
  match(
    pictures: readonly PictureInput[],
    texts: readonly string[],
    options?: RunOptions,
  ): Promise<readonly (number | VlmoError)[]>;
}

/** Pairs of a batch at most: more gain nothing, and their values leave the cache. */
const MAX_PAIRS = 8;

/** A cross-encoder of what runs the model: this thread, or the pools. Throws MODEL_HEAD_MISSING before anything is loaded. */
export async function createCrossEncoder(runner: Runner): Promise<CrossEncoder> {
  runner.model.requireMatching();
  return {
    scale: await runner.model.readScale(),
    match(pictures, texts, options) {
      const [text] = texts;
      const [picture] = pictures;
      if (texts.length === 1 && text !== undefined) return matchPictures(runner, pictures, text, options);
      if (pictures.length === 1 && picture !== undefined) return matchTexts(runner, picture, texts, options);
      throw new Error(`${pictures.length} pictures with ${texts.length} texts: this is a bug`);
    },
  };
}

async function matchPictures(
  runner: Runner,
  pictures: readonly PictureInput[],
  text: string,
  options?: RunOptions,
): Promise<readonly (number | VlmoError)[]> {
  const found: (number | VlmoError)[] = [];
  await inBatches(runner, [...pictures.keys()], async (batch) => {
    const pixels = pixelsFor(runner, batch.length);
    const some = batch.map((i) => pictures[i] as PictureInput);
    const slots = await runner.decode(some, pixels, options);
    const count = slots.filter((slot) => typeof slot === 'number').length;
    const odds =
      count === 0 ? [] : logOdds(await runner.run({ kind: 'match', pixels, count, texts: [text] }, options));
    batch.forEach((i, place) => {
      const slot = slots[place] as number | VlmoError;
      found[i] = typeof slot === 'number' ? (odds[slot] as number) : slot;
    });
  });
  return found;
}

/** Throws nothing for a picture that cannot be read: no text has a match with it then. */
async function matchTexts(
  runner: Runner,
  picture: PictureInput,
  texts: readonly string[],
  options?: RunOptions,
): Promise<readonly (number | VlmoError)[]> {
  const pixels = pixelsFor(runner, 1);
  const [slot] = await runner.decode([picture], pixels, options);
  if (slot instanceof VlmoError) return texts.map(() => slot);
  const found: number[] = [];
  // Those of a length together: a batch is padded to its longest.
  const order = [...texts.keys()].sort((a, b) => (texts[a]?.length ?? 0) - (texts[b]?.length ?? 0));
  await inBatches(runner, order, async (batch) => {
    const some = batch.map((i) => texts[i] ?? '');
    const odds = logOdds(await runner.run({ kind: 'match', pixels, count: 1, texts: some }, options));
    batch.forEach((i, place) => {
      found[i] = odds[place] as number;
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

function pixelsFor({ model }: Runner, pictures: number): SharedArrayBuffer {
  return new SharedArrayBuffer(pictures * pictureValues(model.picture));
}

/** log(p / (1 - p)) of the softmax over both logits: how far "match" is ahead. [B, 2] -> [B]. */
function logOdds(logits: Float32Array): number[] {
  return Array.from(
    { length: logits.length / 2 },
    (_, i) => (logits[2 * i + 1] as number) - (logits[2 * i] as number),
  );
}

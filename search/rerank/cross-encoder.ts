import { VlmoError } from '#errors.ts';
import { pictureValues } from '#model/vlmo/config.ts';
import { readContrastiveScale } from '#model/vlmo/contrastive-scale.ts';
import type { ModelFolder } from '#model/vlmo/folder.ts';
import { requireHead } from '#model/vlmo/sessions.ts';
import { inLanes } from '../lanes.ts';

/** The path of a picture file, or what was decoded of one: [C, H, W] of 8 bits. */
export type Picture = string | Uint8Array;

/** Reads pictures and texts together through the fusion encoder of a model. */
export interface CrossEncoder {
  /** exp(logit_scale): what a cosine counts beside log-odds. */
  readonly scale: number;
  /** Log-odds that the text belongs to each of the pictures; for one that cannot be read, why not. */
  matchPictures(text: string, uris: readonly string[]): Promise<readonly (number | VlmoError)[]>;
  /** Log-odds that each of the texts belongs to the picture. Throws what reading the picture throws. */
  matchTexts(picture: Picture, texts: readonly string[]): Promise<readonly number[]>;
}

/** What a cross-encoder works with: this thread, or those of the pools. */
export interface MatchDeps {
  readonly model: ModelFolder;
  /** Batches that the model computes at once. */
  readonly threads: number;
  /** Decodes a picture into one slot of [slot, C, H, W] of 8 bits. */
  decode(uri: string, pixels: SharedArrayBuffer, slot: number): Promise<void>;
  /** Logits [B, 2] of the first `count` pictures with the texts; of one of them there may be one only. */
  run(pixels: SharedArrayBuffer, count: number, texts: readonly string[]): Promise<Float32Array>;
}

/** Pairs of a batch at most: more gain nothing, and their values leave the cache. */
const MAX_PAIRS = 8;

/** Throws MODEL_HEAD_MISSING before anything is loaded or read. */
export async function createCrossEncoder(means: MatchDeps): Promise<CrossEncoder> {
  requireHead(means.model, 'fusion');
  const scale = await readContrastiveScale(means.model);
  // One batch more than the model computes: it is decoded meanwhile.
  const lanes = means.threads + 1;
  return {
    scale,
    async matchPictures(text, uris) {
      const found: (number | VlmoError)[] = [];
      await inLanes(batches([...uris.keys()], means.threads), lanes, async (batch) => {
        const { pixels, failures } = await decodeAll(
          means,
          batch.map((i) => uris[i] ?? ''),
        );
        const read = batch.filter((_, slot) => !failures[slot]);
        const odds = read.length === 0 ? [] : logOdds(await means.run(pixels, read.length, [text]));
        batch.forEach((i, slot) => {
          found[i] = failures[slot] ?? (odds[read.indexOf(i)] as number);
        });
      });
      return found;
    },
    async matchTexts(picture, texts) {
      const found: number[] = [];
      const pixels = await onePicture(means, picture);
      // Those of a length together: a batch is padded to its longest.
      const order = [...texts.keys()].sort((a, b) => (texts[a]?.length ?? 0) - (texts[b]?.length ?? 0));
      await inLanes(batches(order, means.threads), lanes, async (batch) => {
        const some = batch.map((i) => texts[i] ?? '');
        const odds = logOdds(await means.run(pixels, 1, some));
        batch.forEach((i, place) => {
          found[i] = odds[place] as number;
        });
      });
      return found;
    },
  };
}

/** As many for each thread, and never more than are good for a run. */
function batches<T>(values: readonly T[], threads: number): T[][] {
  const size = Math.min(MAX_PAIRS, Math.ceil(values.length / threads));
  return Array.from({ length: Math.ceil(values.length / Math.max(1, size)) }, (_, i) =>
    values.slice(i * size, (i + 1) * size),
  );
}

interface Decoded {
  /** Those that could be read, side by side in the order given. */
  readonly pixels: SharedArrayBuffer;
  readonly failures: readonly (VlmoError | undefined)[];
}

async function decodeAll(means: MatchDeps, uris: readonly string[]): Promise<Decoded> {
  const size = pictureValues(means.model.config);
  const pixels = new SharedArrayBuffer(uris.length * size);
  const failures = await Promise.all(
    uris.map((uri, slot) =>
      means.decode(uri, pixels, slot).then(
        () => undefined,
        (error: unknown) => {
          if (error instanceof VlmoError) return error;
          throw error;
        },
      ),
    ),
  );
  const values = new Uint8Array(pixels);
  let next = 0;
  failures.forEach((failure, slot) => {
    if (failure) return;
    if (next < slot) values.copyWithin(next * size, slot * size, (slot + 1) * size);
    next++;
  });
  return { pixels, failures };
}

async function onePicture(means: MatchDeps, picture: Picture): Promise<SharedArrayBuffer> {
  const pixels = new SharedArrayBuffer(pictureValues(means.model.config));
  if (typeof picture === 'string') await means.decode(picture, pixels, 0);
  else new Uint8Array(pixels).set(picture);
  return pixels;
}

/** log(p / (1 - p)) of the softmax over both logits: how far "match" is ahead. [B, 2] -> [B]. */
function logOdds(logits: Float32Array): number[] {
  return Array.from(
    { length: logits.length / 2 },
    (_, i) => (logits[2 * i + 1] as number) - (logits[2 * i] as number),
  );
}

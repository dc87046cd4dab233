import { VlmoError } from '#errors.ts';
import type { Calibration } from '#model/calibration.ts';
import type { CrossEncoder } from '#model/cross-encoder.ts';
import { storedPicture } from '#model/picture-reader.ts';
import type { CaptionRecord, ImageRecord } from '#store/contract.ts';
import { itemKey, parsePlaceText, pictureKey, toPlaceText } from '#store/item-key.ts';
import { calibrationError, fitPlatt, type LabelledOdds, withPrior } from './platt.ts';
import type { Split } from './read-split.ts';
import { seeded } from './recall.ts';

export interface Calibrating {
  readonly split: Split;
  readonly crossEncoder: CrossEncoder;
  /** How many captions are read with their own picture and with wrong ones. */
  readonly sample: number;
  readonly seed: number;
  readonly signal: AbortSignal;
  readonly onStart?:
    | ((progress: () => { readonly done: number; readonly queries: number }) => void)
    | undefined;
}

export interface Calibrated extends Calibration {
  /** Pairs that it was fitted on. */
  readonly positives: number;
  readonly negatives: number;
  /** On pairs of other pictures, for mixtures of a right pair and one wrong one, and of fifty. */
  readonly errors: readonly CalibrationErrors[];
}

/** Expected calibration errors. */
export interface CalibrationErrors {
  /** Wrong pairs for each right one. */
  readonly wrongs: number;
  /** Of the model's own probability, as it is. */
  readonly raw: number;
  /** Of the calibrated one, for this mixture. */
  readonly calibrated: number;
}

/** Wrong pictures of each caption, drawn evenly from all others. */
const WRONG = 8;
/** Captions of each half at least: fewer say little of a probability. */
const LEAST = 20;
const MIXTURES = [1, 50];

/**
 * Fits a calibration to captions read with their own pictures and with wrong ones. Those of every other picture fit it,
 * those of the rest judge it. Throws CALIBRATION_UNSUITABLE, the signal's reason, and what reading pictures' rows throws.
 */
export async function calibrate(asked: Calibrating): Promise<Calibrated> {
  const { split, sample, seed, signal, crossEncoder, onStart } = asked;
  const random = seeded(seed);
  const captions = await drawCaptions(split, sample, random);
  if (captions.length < 2 * LEAST) {
    throw unsuitable(
      split,
      `expected ${2 * LEAST} captions of pictures and more, received ${captions.length}`,
    );
  }
  const pictures = [...split.pictures.keys()];
  let done = 0;
  onStart?.(() => ({ done, queries: captions.length }));
  const halves = [emptyOdds(), emptyOdds()] as const;
  for (const caption of captions) {
    signal.throwIfAborted();
    const own = split.captions.get(toPlaceText(caption)) as number;
    const rows = await drawPictures(split, caption, own, pictures, random);
    if (rows.length === 0) continue;
    const logits = await crossEncoder.match(rows.map(storedPicture), [caption.caption], { signal });
    const half = halves[own % 2] as (typeof halves)[0];
    logits.forEach((found, i) => {
      if (!(found instanceof VlmoError)) half[i === 0 ? 'right' : 'wrong'].push(found.together - found.apart);
    });
    done += 1;
  }
  const [fitted, judged] = halves;
  const least = Math.min(fitted.right.length, judged.right.length, fitted.wrong.length, judged.wrong.length);
  if (least < LEAST) {
    throw unsuitable(
      split,
      `expected ${LEAST} captions and more with readable pictures in each of two halves, received ${least}`,
    );
  }
  const calibration = fitPlatt(fitted);
  if (calibration.a <= 0) {
    throw unsuitable(
      split,
      'expected matches that are higher for right pairs than for wrong ones, received the contrary',
    );
  }
  const errors = MIXTURES.map((wrongs) => ({
    wrongs,
    raw: calibrationError(judged, wrongs),
    calibrated: calibrationError(judged, wrongs, withPrior(calibration, wrongs)),
  }));
  return { ...calibration, positives: fitted.right.length, negatives: fitted.wrong.length, errors };
}

function emptyOdds(): { readonly [Key in keyof LabelledOdds]: number[] } {
  return { right: [], wrong: [] };
}

/** Some captions of stored pictures, each as likely as any other: a reservoir, so that the rest is not held. */
async function drawCaptions(
  { tables, captions, where }: Split,
  count: number,
  random: () => number,
): Promise<CaptionRecord[]> {
  const drawn: CaptionRecord[] = [];
  let seen = 0;
  for await (const row of tables.captions.scan(where.captions)) {
    if (!captions.has(toPlaceText(row))) continue;
    const place = drawn.length < count ? drawn.length : Math.floor(random() * (seen + 1));
    if (place < count) drawn[place] = row;
    seen += 1;
  }
  return drawn;
}

/** Its own picture, then wrong ones, each once; fewer where there are no more. */
async function drawPictures(
  { tables, pictures: numbers }: Split,
  caption: CaptionRecord,
  own: number,
  pictures: readonly string[],
  random: () => number,
): Promise<ImageRecord[]> {
  const wrong = new Set<string>();
  for (let tries = 0; wrong.size < WRONG && tries < 4 * WRONG; tries++) {
    const place = pictures[Math.floor(random() * pictures.length)] as string;
    if (numbers.get(place) !== own) wrong.add(place);
  }
  const keys = [...wrong].map((place) => {
    const { id, source } = parsePlaceText(place);
    return itemKey(source, 'image', id);
  });
  const ownKey = pictureKey(caption) as string;
  const rows = await tables.images.find([ownKey, ...keys]);
  const first = rows.get(ownKey);
  if (!first) return [];
  return [first, ...keys.flatMap((key) => rows.get(key) ?? [])];
}

function unsuitable({ tables }: Split, what: string): VlmoError {
  const { collection } = tables.record;
  return new VlmoError('CALIBRATION_UNSUITABLE', `Cannot calibrate by collection "${collection}": ${what}`);
}

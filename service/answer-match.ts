import { VlmoError } from '#errors.ts';
import { matchProbability } from '#model/cross-encoder.ts';
import { activeTables } from '#search/active-tables.ts';
import { embedPicture } from '#search/query.ts';
import { type MatchRequest, matchRequestSchema, parseRequest } from '#search/request.ts';
import { embedTexts } from './answer-embed.ts';
import type { CallOptions, Match } from './contract.ts';
import type { IndexParts } from './index-parts.ts';

/** Reads a picture together with each of several texts, by the model of a collection. */
export async function answerMatch(
  { store, generations }: IndexParts,
  asked: MatchRequest,
  { signal }: CallOptions = {},
): Promise<readonly Match[]> {
  const { collection, image, texts } = parseRequest(matchRequestSchema, asked, 'match');
  signal?.throwIfAborted();
  const { record } = await activeTables(store, collection);
  return generations.use(record, async (loaded) => {
    const crossEncoder = await loaded.crossEncoder();
    const encoder = await loaded.encoder();
    const picture = await embedPicture(encoder, image, { signal });
    const vectors = await embedTexts(encoder, texts, { signal });
    const calibration = await store.calibrations.find(crossEncoder.fingerprint ?? record.fingerprint);
    const logits = await crossEncoder.match([image], texts, { signal });
    return texts.map((_, i) => {
      const found = logits[i];
      if (!found || found instanceof VlmoError)
        throw found ?? new Error('A text without a match: this is a bug');
      return {
        match: matchProbability(found, calibration),
        calibrated: calibration !== undefined,
        cosine: dot(picture, vectors[i] as Float32Array),
      };
    });
  });
}

function dot(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
}

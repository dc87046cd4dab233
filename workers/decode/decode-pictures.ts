import { VlmoError } from '#errors.ts';
import type { PreprocessPool } from './preprocess-pool.ts';

/** What errors call a picture that came without a name. */
const UNNAMED = 'the picture of the request';

interface Decoded {
  readonly slot: number;
  /** Of the bytes that it was decoded from. */
  readonly sha256: string;
}

/**
 * Decodes pictures, by their places or as bytes, into the first slots of [slot, C, H, W] of 8 bits. The slot of each, or
 * what is wrong with it; those that could be read lie side by side. Throws DECODER_UNAVAILABLE.
 */
export async function decodePictures(
  pool: Pick<PreprocessPool, 'run' | 'runUrgent'>,
  pictures: readonly (string | Uint8Array)[],
  pixels: SharedArrayBuffer,
  isBulk: boolean,
): Promise<readonly (Decoded | VlmoError)[]> {
  const tasks = pictures.map((picture) => ({
    ...(typeof picture === 'string' ? { uri: picture } : { uri: UNNAMED, bytes: picture }),
    ...{ storedSha256: null, failedSha256: null },
  }));
  const task = { pixels, firstSlot: 0, pictures: tasks };
  const outcomes = await (isBulk ? pool.run(task) : pool.runUrgent(task));
  return outcomes.map((outcome, i) => {
    if (outcome.kind === 'ready') return { slot: outcome.slot, sha256: outcome.sha256 };
    if (outcome.kind === 'failed') return new VlmoError(outcome.error.code, outcome.error.message);
    throw new Error(`No pixels of "${tasks[i]?.uri}": this is a bug`);
  });
}

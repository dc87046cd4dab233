import { VlmoError } from '#errors.ts';
import type { PreprocessPool } from './preprocess-pool.ts';
import type { PictureTask } from './protocol.ts';

/**
 * Decodes one picture into a slot of [slot, C, H, W], before all that waits: somebody waits for it. Throws what is wrong
 * with the picture, and DECODER_UNAVAILABLE.
 */
export async function decodeOne(
  pool: PreprocessPool,
  { uri, bytes }: Pick<PictureTask, 'uri' | 'bytes'>,
  pixels: SharedArrayBuffer,
  slot = 0,
): Promise<void> {
  const picture = { uri, ...(bytes && { bytes }), storedSha256: null, failedSha256: null };
  const [outcome] = await pool.runUrgent({ pixels, firstSlot: slot, pictures: [picture] });
  if (outcome?.kind === 'failed') throw new VlmoError(outcome.error.code, outcome.error.message);
  if (outcome?.kind !== 'ready') throw new Error(`No pixels of "${uri}": this is a bug`);
}

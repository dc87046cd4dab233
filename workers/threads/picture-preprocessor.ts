import { createHash } from 'node:crypto';
import { toErrorData } from '#errors.ts';
import { pictureValues } from '#model/vlmo/config.ts';
import { pictureError } from '#pictures/picture-error.ts';
import { preprocess } from '#pictures/preprocess.ts';
import { readPicture } from '#pictures/read-picture.ts';
import type { PictureOutcome, PictureTask, PreprocessSetup, PreprocessTask } from './protocol.ts';

/** Pictures of one task that are worked on at a time: while libvips decodes one, the next is read and hashed. */
const CONCURRENCY = 2;

/** What a thread of the preprocessing pool does with a task: each picture into the next free slot, or why not. */
export function createPicturePreprocessor(
  setup: PreprocessSetup,
): (task: PreprocessTask) => Promise<PictureOutcome[]> {
  const size = pictureValues(setup.spec);
  return async ({ pixels, firstSlot, pictures }) => {
    const outcomes: PictureOutcome[] = [];
    let [next, slots] = [0, firstSlot];
    const takeSlot = (values: Float32Array): number => {
      const slot = slots++;
      new Float32Array(pixels, slot * size * Float32Array.BYTES_PER_ELEMENT, size).set(values);
      return slot;
    };
    const lane = async (): Promise<void> => {
      const values = new Float32Array(size);
      for (let i = next++; i < pictures.length; i = next++) {
        outcomes[i] = await handle(setup, pictures[i] as PictureTask, values, takeSlot);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, lane));
    return outcomes;
  };
}

/** Slots are taken when a picture is done, so that the pictures of a task lie side by side whichever fail. */
async function handle(
  setup: PreprocessSetup,
  { uri, storedSha256, failedSha256 }: PictureTask,
  values: Float32Array,
  takeSlot: (values: Float32Array) => number,
): Promise<PictureOutcome> {
  let sha256: string | null = null;
  try {
    const bytes = readPicture(uri, setup.maxImageBytes);
    sha256 = createHash('sha256').update(bytes).digest('hex');
    if (sha256 === storedSha256) return { kind: 'unchanged' };
    if (sha256 === failedSha256) return { kind: 'known-failure' };
    const info = await preprocess(bytes, setup.spec, setup.mode, setup, values);
    return { kind: 'ready', slot: takeSlot(values), ...info, bytes: bytes.length, sha256 };
  } catch (error) {
    return { kind: 'failed', error: toErrorData(pictureError(error, uri), 'IMAGE_INVALID'), sha256 };
  }
}

import { stat } from 'node:fs/promises';
import { filePath } from '#uri.ts';

/** About what a picture takes. */
const PICTURE_BYTES = 64 * 1024;

/** About how many pictures a tar may hold, for the part of a folder that is read. */
export async function tarWeight(uri: string): Promise<number> {
  const size = await stat(filePath(uri)).then(
    (found) => found.size,
    () => 0,
  );
  return Math.max(1, size / PICTURE_BYTES);
}

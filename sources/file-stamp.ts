import { stat } from 'node:fs/promises';
import { respelled } from '#pictures/respelled.ts';
import { fileOf, filePath, schemeOf } from '#uri.ts';

/** A change within the grain of a disk's clock leaves the time as it is. FAT has the coarsest, 2 s. */
const GRAIN_MS = 2000;

/**
 * What changes when a file does, or the file in which something lies, without reading it: its size and, in nanoseconds, when its content and its entry were changed last.
 * Undefined for what is no file of this machine, and for a file that was changed just now: the next change might not show.
 */
export async function fileStamp(uri: string, now = Date.now()): Promise<string | undefined> {
  const file = fileOf(uri);
  if ((schemeOf(file) ?? 'file') !== 'file') return undefined;
  try {
    const found = await lookAt(filePath(file));
    if (!found.isFile()) return undefined;
    const { size, mtimeNs, ctimeNs } = found;
    const last = Math.max(Number(mtimeNs / 1_000_000n), Number(ctimeNs / 1_000_000n));
    return last > now - GRAIN_MS ? undefined : `${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    // Whoever reads it says what is wrong.
    return undefined;
  }
}

async function lookAt(path: string | Buffer) {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    const other = typeof path === 'string' ? respelled(path) : undefined;
    if (other === undefined) throw error;
    return stat(other, { bigint: true });
  }
}

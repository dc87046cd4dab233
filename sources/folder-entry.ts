import { stat } from 'node:fs/promises';
import { patiently, throwIfMachine } from '#machine-error.ts';
import { filePath } from '#uri.ts';
import type { DirectoryEntry } from './directory.ts';
import { fileStamp } from './file-stamp.ts';
import { realUri } from './linked-folders.ts';
import { beginsAsPicture } from './picture-content.ts';
import { nameSays } from './picture-name.ts';
import type { PictureBefore } from './read-before.ts';
import type { LeftOutReason } from './reading-notes.ts';
import { isTar } from './tar/tar-name.ts';

/** What an entry of a folder turned out to be. */
export type LookedAt =
  | { readonly kind: 'picture' | 'tar' | 'special' | 'directory'; readonly entry: DirectoryEntry }
  /** A folder that a link leads to, by its real place. */
  | { readonly kind: 'linked'; readonly entry: DirectoryEntry; readonly real: string }
  | { readonly kind: 'left-out'; readonly entry: DirectoryEntry; readonly reason: LeftOutReason };

/**
 * Looks where an entry's name is not enough: at the content of a file, and at where a link leads. A link to nothing stays a
 * picture if it is named like one, to be listed as not found. What is stored of the file, `before`, stands for its content where it has not
 * changed.
 */
export async function lookAt(entry: DirectoryEntry, before?: PictureBefore): Promise<LookedAt> {
  const { kind, name, uri } = entry;
  if (kind === 'picture' || kind === 'directory') return { kind, entry };
  const isNamed = nameSays(name) === 'picture';
  if (kind === 'special')
    return isNamed ? { kind, entry } : { kind: 'left-out', entry, reason: 'other_type' };
  try {
    return await patiently(() => look(entry, isNamed, before));
  } catch (error) {
    throwIfMachine(`Cannot read "${uri}"`, error);
    return isNamed ? { kind: 'picture', entry } : { kind: 'left-out', entry, reason: 'unreadable' };
  }
}

async function look(
  entry: DirectoryEntry,
  isNamed: boolean,
  before: PictureBefore | undefined,
): Promise<LookedAt> {
  const { kind, name, uri } = entry;
  if (kind === 'link') {
    const target = await stat(filePath(uri));
    if (target.isDirectory()) return { kind: 'linked', entry, real: await realUri(uri) };
    if (!target.isFile()) return lookAt({ ...entry, kind: 'special' });
  }
  if (isNamed) return { kind: 'picture', entry };
  if (isTar(name)) return { kind: 'tar', entry };
  const isPicture = nameSays(name) === 'unknown' && (await isPictureFile(uri, before));
  return isPicture ? { kind: 'picture', entry } : { kind: 'left-out', entry, reason: 'other_type' };
}

async function isPictureFile(uri: string, before: PictureBefore | undefined): Promise<boolean> {
  const isKnown = before !== undefined && before.stamp !== null && before.stamp === (await fileStamp(uri));
  return isKnown || beginsAsPicture(uri);
}

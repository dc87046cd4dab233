import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isPictureName } from './picture-name.ts';

export interface DirectoryEntry {
  readonly name: string;
  /** `special`: named like a picture, but a pipe, a socket or a device, which must not be opened. */
  readonly kind: 'directory' | 'picture' | 'special';
}

export interface Directory {
  /** Folders and pictures in the order of their names. */
  readonly entries: readonly DirectoryEntry[];
  /** Names of files that may describe pictures. */
  readonly beside: ReadonlySet<string>;
}

const DESCRIPTION = /\.(txt|json|jsonl|csv)$/i;

/**
 * Lists one folder, without dot files. Links to files count as files; links to folders are left out, because they
 * may lead back up and never end. A link to nothing stays a picture, to be listed as one that was not found.
 */
export async function readDirectory(path: string): Promise<Directory> {
  const entries: DirectoryEntry[] = [];
  const beside = new Set<string>();
  for (const entry of await readdir(path, { withFileTypes: true })) {
    const { name } = entry;
    if (name.startsWith('.')) continue;
    if (entry.isDirectory()) {
      entries.push({ name, kind: 'directory' });
    } else if (isPictureName(name)) {
      const kind = await pictureKind(path, entry);
      if (kind !== undefined) entries.push({ name, kind });
    } else if (DESCRIPTION.test(name) && (entry.isFile() || entry.isSymbolicLink())) {
      beside.add(name);
    }
  }
  // By code unit: the same on every machine, whatever its language. No two names of a folder are equal.
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { entries, beside };
}

async function pictureKind(path: string, entry: Dirent): Promise<DirectoryEntry['kind'] | undefined> {
  if (entry.isFile()) return 'picture';
  if (!entry.isSymbolicLink()) return 'special';
  try {
    const target = await stat(join(path, entry.name));
    if (target.isDirectory()) return undefined;
    return target.isFile() ? 'picture' : 'special';
  } catch {
    return 'picture';
  }
}

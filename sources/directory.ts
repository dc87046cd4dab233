import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { filePath, shownName, uriInside } from '#uri.ts';
import { Beside } from './beside.ts';
import type { PathFilter } from './path-filter.ts';
import { nameSays } from './picture-name.ts';
import type { ReadingNotes } from './reading-notes.ts';
import { compareNumbered, isTar } from './tar/tar-name.ts';

export interface DirectoryEntry {
  /** For ids: bytes that are no UTF-8 are percent-encoded. */
  readonly name: string;
  /** As the disk has it. */
  readonly raw: string | Buffer;
  readonly uri: string;
  /**
   * `special`: a pipe, a socket or a device, which must not be opened. `unknown`: a file whose name does not say whether it
   * is a picture. `link`: to a file or a folder, to be looked at.
   */
  readonly kind: 'directory' | 'picture' | 'unknown' | 'link' | 'special';
}

export interface Directory {
  /** Folders, and files that are or may be pictures, in the order of their names; then tars. */
  readonly entries: readonly DirectoryEntry[];
  /** Files that may describe pictures. */
  readonly beside: Beside;
}

/** Lists one folder by its uri; `prefix` is its path in the source, empty or ending with `/`. */
export async function readDirectory(
  folder: string,
  prefix: string,
  filter: PathFilter,
  notes: ReadingNotes,
): Promise<Directory> {
  const entries: DirectoryEntry[] = [];
  const beside = new Beside();
  for (const { raw, entry } of await list(folder)) {
    const name = shownName(raw);
    const path = prefix + name;
    const isDescription = !entry.isDirectory() && Beside.isDescription(name);
    const reason = entry.isDirectory()
      ? filter.folder(path)
      : isDescription
        ? filter.description(path)
        : // A link may lead to a folder, for which what is included says nothing yet.
          entry.isSymbolicLink()
          ? linkReason(filter, path)
          : filter.file(path);
    if (reason !== undefined) notes.leaveOut(reason, path);
    else if (isDescription) beside.add({ name, uri: uriInside(folder, raw), isLink: entry.isSymbolicLink() });
    else entries.push({ name, raw, uri: uriInside(folder, raw), kind: kindOf(entry, name) });
  }
  return { entries: inOrder(entries), beside };
}

/** By code unit, the same on every machine, whatever its language; tars last, by their numbers. */
function inOrder(entries: readonly DirectoryEntry[]): DirectoryEntry[] {
  const [tars, others] = [[] as DirectoryEntry[], [] as DirectoryEntry[]];
  for (const entry of entries) (entry.kind !== 'directory' && isTar(entry.name) ? tars : others).push(entry);
  others.sort((a, b) => (a.name < b.name ? -1 : 1));
  return others.concat(tars.sort((a, b) => compareNumbered(a.name, b.name)));
}

interface Listed {
  readonly raw: string | Buffer;
  readonly entry: Dirent | Dirent<Buffer>;
}

/** Names that are no UTF-8 stay bytes: as texts two of them would be one. */
async function list(folder: string): Promise<readonly Listed[]> {
  const path = filePath(folder);
  const entries = await readdir(path, { withFileTypes: true });
  if (!entries.some(({ name }) => name.includes('\uFFFD')))
    return entries.map((entry) => ({ raw: entry.name, entry }));
  const exact = await readdir(path, { withFileTypes: true, encoding: 'buffer' });
  return exact.map((entry) => {
    const text = entry.name.toString('utf8');
    return { raw: Buffer.from(text).equals(entry.name) ? text : entry.name, entry };
  });
}

function linkReason(filter: PathFilter, path: string): ReturnType<PathFilter['file']> {
  const reason = filter.file(path);
  return reason === 'not_included' ? undefined : reason;
}

function kindOf(entry: Listed['entry'], name: string): DirectoryEntry['kind'] {
  if (entry.isDirectory()) return 'directory';
  if (entry.isSymbolicLink()) return 'link';
  if (!entry.isFile()) return 'special';
  return nameSays(name) === 'picture' ? 'picture' : 'unknown';
}

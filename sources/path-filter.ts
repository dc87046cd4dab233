import { posix } from 'node:path';
import type { SourceOptions } from './item.ts';
import type { LeftOutReason } from './reading-notes.ts';

/** Decides by its path in the source, `/` between folders, whether something is read; otherwise says why not. */
export interface PathFilter {
  file(path: string): LeftOutReason | undefined;
  folder(path: string): LeftOutReason | undefined;
  /** Captions belong to their pictures: `include` is not asked. */
  description(path: string): LeftOutReason | undefined;
  /** What `include` and `exclude` alone say, for pictures that a table names. */
  named(path: string): LeftOutReason | undefined;
}

/** Small copies of the pictures beside them, made by Synology, QNAP and macOS. */
const THUMBNAIL_FOLDERS: ReadonlySet<string> = new Set([
  '@eadir',
  '@__thumb',
  '.@__thumb',
  '__macosx',
  '.thumbnails',
]);
/** What systems keep for themselves: things thrown away, and states of yesterday. */
const SYSTEM_FOLDERS: ReadonlySet<string> = new Set([
  '#recycle',
  '@recycle',
  '$recycle.bin',
  '#snapshot',
  '@recently-snapshot',
  'lost+found',
  'system volume information',
]);

/**
 * The rules of a folder. Patterns are globs: one without `/` is of a name anywhere, one with it of a path from the source
 * down, and both are of all that lies in a folder they name. What is left out unasked (hidden files, thumbnails) is read
 * where a pattern of `include` names it.
 */
export function createPathFilter({ include = [], exclude = [] }: SourceOptions): PathFilter {
  const [included, excluded] = [include.map(toPattern), exclude.map(toPattern)];
  const names = new Set(included.flatMap((pattern) => pattern.split('/')));
  const isExcluded = (path: string): boolean => excluded.some((pattern) => matches(path, pattern));
  const isIncluded = (path: string): boolean => {
    for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/'))))
      if (included.some((pattern) => matches(at, pattern))) return true;
    return false;
  };
  const named = (raw: string): LeftOutReason | undefined => {
    if (excluded.length === 0 && included.length === 0) return undefined;
    const path = raw.normalize('NFC');
    if (isExcluded(path) || parents(path).some(isExcluded)) return 'excluded';
    return included.length > 0 && !isIncluded(path) ? 'not_included' : undefined;
  };
  return {
    named,
    file(raw) {
      const path = raw.normalize('NFC');
      if (isExcluded(path)) return 'excluded';
      // A pattern of a folder is not one of what is hidden in it.
      const isAsked = included.some((pattern) => matches(path, pattern));
      if (nameOf(path).startsWith('.') && !isAsked) return 'hidden';
      return included.length > 0 && !isIncluded(path) ? 'not_included' : undefined;
    },
    folder(raw) {
      const path = raw.normalize('NFC');
      const name = nameOf(path);
      if (isExcluded(path)) return 'excluded';
      if (names.has(name)) return undefined;
      if (THUMBNAIL_FOLDERS.has(name.toLowerCase())) return 'thumbnails';
      if (SYSTEM_FOLDERS.has(name.toLowerCase())) return 'system';
      return name.startsWith('.') ? 'hidden' : undefined;
    },
    description(raw) {
      const path = raw.normalize('NFC');
      if (isExcluded(path)) return 'excluded';
      return nameOf(path).startsWith('.') && !names.has(nameOf(path)) ? 'hidden' : undefined;
    },
  };
}

function toPattern(text: string): string {
  return text
    .normalize('NFC')
    .replace(/^(\.?\/)+/, '')
    .replace(/\/+$/, '');
}

function matches(path: string, pattern: string): boolean {
  const subject = pattern.includes('/') ? path : nameOf(path);
  // A name with brackets in it is meant as it is, too.
  return subject === pattern || posix.matchesGlob(subject, pattern);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** The folders above a path. */
function parents(path: string): readonly string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, count) => parts.slice(0, count + 1).join('/'));
}

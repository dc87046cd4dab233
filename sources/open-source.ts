import type { Stats } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { VlmoError } from '#errors.ts';
import { absoluteUri, filePath } from '#uri.ts';
import { createFolderSource } from './folder-source.ts';
import type { Source, SourceOptions } from './item.ts';
import { createManifestSource } from './manifest-source.ts';
import { TABLE_ENDINGS } from './table-dialect.ts';
import { openTars } from './tar/open-tars.ts';

/**
 * Opens a folder of pictures, a tar of samples as WebDataset has them (.tar, .tar.gz, .tgz, .tar.zst, .tar.xz; several as `{000..012}.tar` or
 * `a.tar::b.tar`), or a table (.csv, .tsv, .jsonl, .ndjson, .json, another file whose first line names a known column, or any with
 * `options.format`), by its path or file URL.
 *
 * Throws SOURCE_NOT_FOUND, SOURCE_UNSUPPORTED, USAGE_INVALID where options do not fit, or SOURCE_COLUMN_MISSING if a header
 * lacks what they name.
 *
 * @example
 * const source = await openSource('pictures');
 * for await (const item of source.items()) console.log(item.kind, item.id);
 */
export async function openSource(spec: string, options: SourceOptions = {}): Promise<Source> {
  const tars = await openTars(spec, options, sourceUri);
  if (tars) return tars;
  const uri = sourceUri(spec);
  const found = await readableStat(uri);
  requireFitting(uri, found.isDirectory(), options);
  if (found.isDirectory()) return createFolderSource(uri, options);
  if (!found.isFile()) throw unsupported(uri, 'neither a file nor a folder');
  await requireFolder(options.imageFolder);
  const source = await createManifestSource(uri, found.size, options);
  if (source) return source;
  throw unsupported(uri, extname(uri) || 'a file without an ending');
}

/** A plain path where that can be one. */
function sourceUri(spec: string): string {
  if (spec === '') throw unsupported(spec, 'an empty path');
  const uri = absoluteUri(spec);
  try {
    const path = filePath(uri);
    return typeof path === 'string' ? resolve(path) : uri;
  } catch {
    throw unsupported(spec, 'a URL');
  }
}

async function readableStat(uri: string): Promise<Stats> {
  try {
    const path = filePath(uri);
    const found = await stat(path);
    await access(path, constants.R_OK | (found.isDirectory() ? constants.X_OK : 0));
    return found;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const received = code === 'ENOENT' || code === 'ENOTDIR' ? 'nothing at that path' : code;
    const message = `Cannot open source "${uri}": expected an existing folder or manifest, received "${received}"`;
    throw new VlmoError('SOURCE_NOT_FOUND', message, { cause });
  }
}

/** Otherwise every picture of the table would be listed as failed. */
async function requireFolder(images: string | undefined): Promise<void> {
  if (images === undefined || (await readableStat(images)).isDirectory()) return;
  throw new VlmoError(
    'USAGE_INVALID',
    `Cannot read pictures of "${images}": expected a folder, received a file`,
  );
}

/** Refuses what would be passed over without a word. */
function requireFitting(uri: string, isFolder: boolean, options: SourceOptions): void {
  const { format, captionLines, include = [], exclude = [], delimiter, imageFolder, splits } = options;
  const refuse = (reason: string): never => {
    throw new VlmoError('USAGE_INVALID', `Cannot open source "${uri}": ${reason}`);
  };
  if (isFolder && format !== undefined) refuse('--format is of a table, and this is a folder');
  if (isFolder && (imageFolder !== undefined || splits !== undefined))
    refuse('--image-folder and --split are of a table, and this is a folder');
  if (!isFolder && (captionLines || include.length > 0 || exclude.length > 0))
    refuse('--include, --exclude and --caption-lines are of a folder, and this is a table');
  if (delimiter !== undefined && !/^[\t\x20-\x7e]$/.test(delimiter.replace('"', '')))
    refuse(`expected --delimiter to be one ASCII character that is no quote, received "${delimiter}"`);
}

function unsupported(source: string, received: string): VlmoError {
  const endings = TABLE_ENDINGS.map((ending) => `"${ending}"`).join(', ');
  const expected = `a folder, a tar, a file that ends with ${endings}, or one whose first line names a known column (--format says how another is read)`;
  return new VlmoError(
    'SOURCE_UNSUPPORTED',
    `Cannot open source "${source}": expected ${expected}, received "${received}"`,
  );
}

import type { Stats } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VlmoError } from '#errors.ts';
import { schemeOf } from '#uri.ts';
import { createFolderSource } from './folder-source.ts';
import type { Source, SourceOptions } from './item.ts';
import { isManifestName, MANIFEST_ENDINGS } from './manifest-rows.ts';
import { createManifestSource } from './manifest-source.ts';

/**
 * Opens a folder of pictures, or a manifest (.csv, .tsv, .jsonl, .ndjson), by its path.
 *
 * Throws SOURCE_NOT_FOUND, SOURCE_UNSUPPORTED, or SOURCE_COLUMN_MISSING if a header lacks what `options` name.
 *
 * @example
 * const source = await openSource('pictures');
 * for await (const item of source.items()) console.log(item.kind, item.id);
 */
export async function openSource(spec: string, options: SourceOptions = {}): Promise<Source> {
  const path = absolutePath(spec);
  const found = await readableStat(path);
  if (found.isDirectory()) return createFolderSource(path, options);
  if (found.isFile() && isManifestName(path)) return createManifestSource(path, found.size, options);
  const received = found.isFile()
    ? extname(path) || 'a file without an ending'
    : 'neither a file nor a folder';
  throw unsupported(path, received);
}

function absolutePath(spec: string): string {
  if (spec === '') throw unsupported(spec, 'an empty path');
  const scheme = schemeOf(spec);
  if (scheme === undefined) return resolve(spec);
  if (scheme !== 'file' || !URL.canParse(spec)) throw unsupported(spec, 'a URL');
  return fileURLToPath(spec);
}

async function readableStat(path: string): Promise<Stats> {
  try {
    const found = await stat(path);
    await access(path, constants.R_OK | (found.isDirectory() ? constants.X_OK : 0));
    return found;
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
    const received = code === 'ENOENT' || code === 'ENOTDIR' ? 'nothing at that path' : code;
    const message = `Cannot open source "${path}": expected an existing folder or manifest, received "${received}"`;
    throw new VlmoError('SOURCE_NOT_FOUND', message, { cause });
  }
}

function unsupported(source: string, received: string): VlmoError {
  const expected = `a folder or a file that ends with ${MANIFEST_ENDINGS.map((ending) => `"${ending}"`).join(', ')}`;
  return new VlmoError(
    'SOURCE_UNSUPPORTED',
    `Cannot open source "${source}": expected ${expected}, received "${received}"`,
  );
}

import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { VlmoError } from '#errors.ts';
import { attemptRead, attemptWrite } from './attempt.ts';

/** Raised whenever older code could not read what is written. */
export const INDEX_FORMAT = 1;

/** An index on disk: `vlmo-index.json` says that it is one, `lance/` holds the tables. */
export interface IndexFolder {
  /** Absolute path. */
  readonly path: string;
  readonly lancePath: string;
}

/**
 * Finds the index in a folder or, with `create`, makes one in a folder that is new or empty.
 *
 * Throws STORE_NOT_FOUND, STORE_FOLDER_OCCUPIED (a folder of something else is never taken over) or
 * STORE_VERSION_UNSUPPORTED.
 */
export async function openIndexFolder(
  uri: string,
  options: { readonly create: boolean },
): Promise<IndexFolder> {
  const path = localPath(uri);
  const format = await readFormat(path);
  if (format === undefined) {
    if (!options.create) throw notFound(path);
    await makeIndex(path);
  } else if (format > INDEX_FORMAT) {
    const expected = `format ${INDEX_FORMAT} or older, received format ${format}, which a newer version of vlmo wrote`;
    throw new VlmoError('STORE_VERSION_UNSUPPORTED', `Cannot open index "${path}": expected ${expected}`);
  }
  return { path, lancePath: join(path, 'lance') };
}

/** The error for a folder without a (whole) index. */
export function notFound(path: string): VlmoError {
  const hint = `run: vlmo index SOURCE --index ${path}`;
  return new VlmoError(
    'STORE_NOT_FOUND',
    `Cannot open index "${path}": expected an index, received none; first ${hint}`,
  );
}

const MARKER = 'vlmo-index.json';

function localPath(uri: string): string {
  if (uri.startsWith('file:')) return fileURLToPath(uri);
  if (!/^[a-z][a-z0-9+.-]+:\/\//i.test(uri)) return resolve(uri);
  throw new VlmoError('STORE_NOT_FOUND', `Cannot open index "${uri}": expected a folder, received a URL`);
}

async function readFormat(path: string): Promise<number | undefined> {
  const marker = join(path, MARKER);
  const text = await attemptRead(`"${marker}"`, async () => {
    try {
      return await readFile(marker, 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  });
  if (text === undefined) return undefined;
  const format = parseFormat(text);
  if (format !== undefined) return format;
  const expected = `{"format": ${INDEX_FORMAT}}, received ${JSON.stringify(text.slice(0, 80))}`;
  throw new VlmoError(
    'STORE_VERSION_UNSUPPORTED',
    `Cannot open index "${path}": expected "${marker}" to hold ${expected}`,
  );
}

function parseFormat(text: string): number | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('format' in value)) return undefined;
    return typeof value.format === 'number' ? value.format : undefined;
  } catch {
    return undefined;
  }
}

async function makeIndex(path: string): Promise<void> {
  const names = await attemptWrite(`index "${path}"`, async () => {
    await mkdir(path, { recursive: true });
    return readdir(path);
  });
  const foreign = names.find((name) => !name.startsWith('.') && name !== 'lost+found');
  if (foreign !== undefined) {
    const expected = `an empty folder or an index, received a folder that holds "${foreign}"`;
    throw new VlmoError('STORE_FOLDER_OCCUPIED', `Cannot make an index in "${path}": expected ${expected}`);
  }
  // The marker comes first and whole: a process killed here leaves an index that the next one completes.
  await attemptWrite(`index "${path}"`, async () => {
    const temporary = join(path, `.${MARKER}.${process.pid}`);
    await writeFile(temporary, `${JSON.stringify({ format: INDEX_FORMAT })}\n`);
    await rename(temporary, join(path, MARKER));
  });
}

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

import { createHash, randomBytes } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { VlmoError } from '#errors.ts';
import { schemeOf } from '#uri.ts';
import { attemptRead, attemptWrite } from './store-errors.ts';

/** Raised whenever older code could not read what is written, with a migration that brings older indexes there. */
export const INDEX_FORMAT = 9;

/** An index on disk: `vlmo-index.json` says that it is one, `lance/` holds the tables. */
export interface IndexFolder {
  /** Absolute path. */
  readonly path: string;
  /** 32 hex digits. */
  readonly id: string;
  /** What it was when it was opened. */
  readonly format: number;
  readonly lancePath: string;
  /** Whether its own tables were all made once: one that is missing is lost. */
  readonly isMade: boolean;
}

/**
 * Finds the index in a folder or, with `create`, makes one in a folder that is new or empty.
 *
 * Throws STORE_NOT_FOUND, STORE_FOLDER_OCCUPIED (a folder of something else is never taken over),
 * STORE_VERSION_UNSUPPORTED, or CONFIG_INVALID for a path that LanceDB would take for another one.
 */
export async function openIndexFolder(
  uri: string,
  options: { readonly create: boolean },
): Promise<IndexFolder> {
  const path = localPath(uri);
  let marker = await readMarker(path);
  if (marker === undefined) {
    if (!options.create) throw notFound(path);
    await makeIndex(path);
    marker = await readMarker(path);
    if (marker === undefined) throw notFound(path);
  }
  refuseNewer(path, marker);
  const { format, id = idOfFormat1(path), made = false } = marker;
  return { path, lancePath: join(path, 'lance'), id, format, isMade: made };
}

/**
 * Throws STORE_VERSION_UNSUPPORTED where a newer program has brought the index up to its format since it was opened:
 * what this one would write then, nobody could read.
 */
export async function requireFormat({ path }: IndexFolder): Promise<void> {
  const marker = await readMarker(path);
  if (marker) refuseNewer(path, marker);
}

/** The format of an index now. */
export async function readFormat({ path }: IndexFolder): Promise<number> {
  return (await readMarker(path))?.format ?? INDEX_FORMAT;
}

/** Notes that the index is of this format from now on; whatever a later program keeps in the marker stays. */
export async function writeFormat({ path, id }: IndexFolder, format: number): Promise<void> {
  await writeMarker(path, { ...(await readMarker(path)), format, id }, rename);
}

/** Notes that the index has all its own tables; while no other process changes its format. */
export async function writeMade({ path }: IndexFolder): Promise<void> {
  const marker = await readMarker(path);
  if (marker && !marker.made) await writeMarker(path, { ...marker, made: true }, rename);
}

/** Gives a copy of an index an id of its own. Throws STORE_NOT_FOUND. */
export async function renewIndexId(uri: string): Promise<string> {
  const { path } = await openIndexFolder(uri, { create: false });
  const marker = await readMarker(path);
  if (!marker) throw notFound(path);
  const id = randomBytes(16).toString('hex');
  await writeMarker(path, { ...marker, id }, rename);
  return id;
}

/** What the marker of a copy says: all that the index's own does, and another id where it is to have one. */
export async function markerText(
  path: string,
  newId: boolean,
): Promise<{ readonly id: string; readonly text: string }> {
  const marker = await readMarker(path);
  if (!marker) throw notFound(path);
  const id = newId ? randomBytes(16).toString('hex') : (marker.id ?? idOfFormat1(path));
  return { id, text: `${JSON.stringify({ ...marker, id })}\n` };
}

function refuseNewer(path: string, { format }: Marker): void {
  if (format <= INDEX_FORMAT) return;
  const expected = `format ${INDEX_FORMAT} or older, received format ${format}, which a newer version of vlmo wrote`;
  throw new VlmoError('STORE_VERSION_UNSUPPORTED', `Cannot open index "${path}": expected ${expected}`);
}

/** Indexes of format 1 had no id; the one made of their place is written down when they are brought up to date. */
function idOfFormat1(path: string): string {
  return createHash('sha256').update(path).digest('hex').slice(0, 32);
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
  if (uri.startsWith('file:')) return withoutControls(fileURLToPath(uri));
  if (schemeOf(uri) === undefined) return withoutControls(resolve(uri));
  throw new VlmoError('STORE_NOT_FOUND', `Cannot open index "${uri}": expected a folder, received a URL`);
}

/** LanceDB reads a path as a URL, which drops line breaks and tabs: its tables would lie in another folder than the marker. */
function withoutControls(path: string): string {
  const control = /\p{Cc}/u.exec(path)?.[0];
  if (control === undefined) return path;
  const code = control.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
  const expected = `a path without line breaks and other control characters, received one with U+${code}`;
  throw new VlmoError('CONFIG_INVALID', `Cannot use index ${JSON.stringify(path)}: expected ${expected}`);
}

const markerSchema = z.looseObject({
  format: z.int(),
  id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  made: z.boolean().optional(),
});
type Marker = z.infer<typeof markerSchema>;

async function readMarker(path: string): Promise<Marker | undefined> {
  const file = join(path, MARKER);
  const text = await attemptRead(`"${file}"`, async () => {
    try {
      return await readFile(file, 'utf8');
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  });
  if (text === undefined) return undefined;
  const marker = parseMarker(text);
  if (marker) return marker;
  const expected = `{"format": ${INDEX_FORMAT}, "id": "…"}, received ${JSON.stringify(text.slice(0, 80))}`;
  throw new VlmoError(
    'STORE_VERSION_UNSUPPORTED',
    `Cannot open index "${path}": expected "${file}" to hold ${expected}`,
  );
}

function parseMarker(text: string): Marker | undefined {
  try {
    return markerSchema.safeParse(JSON.parse(text)).data;
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
  // Another process may have made the index since.
  if (foreign !== undefined && (await readMarker(path)) === undefined) {
    const expected = `an empty folder or an index, received a folder that holds "${foreign}"`;
    throw new VlmoError('STORE_FOLDER_OCCUPIED', `Cannot make an index in "${path}": expected ${expected}`);
  }
  // The marker comes first and whole: a process killed here leaves an index that the next one completes. Of two
  // processes that make the index at once, the first one's marker counts: a link replaces nothing.
  const marker = { format: INDEX_FORMAT, id: randomBytes(16).toString('hex') };
  await writeMarker(path, marker, async (from, to) => {
    await link(from, to).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    });
    await unlink(from);
  });
}

async function writeMarker(
  path: string,
  marker: Marker,
  put: (from: string, to: string) => Promise<void>,
): Promise<void> {
  await attemptWrite(`index "${path}"`, async () => {
    const temporary = join(path, `.${MARKER}.${randomBytes(16).toString('hex')}`);
    await writeFile(temporary, `${JSON.stringify(marker)}\n`);
    await put(temporary, join(path, MARKER));
  });
}

function isMissing(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

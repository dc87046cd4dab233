import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { connect, type Table } from '@lancedb/lancedb';
import { errorMessage, VlmoError } from '#errors.ts';
import { markerText, openIndexFolder } from './index-folder.ts';
import { attemptRead } from './store-errors.ts';

/** What a table was when it was copied. */
export interface CopiedTable {
  readonly name: string;
  readonly version: number;
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
  /** SHA-256 of the digests of its files by their names, in order. */
  readonly sha256: string;
}

export interface CopyProgress {
  /** Bytes copied now, and found copied by an earlier call. */
  readonly copied: number;
  readonly kept: number;
  readonly total: number;
}

export interface CopiedIndex extends CopyProgress {
  /** The id that the copy has: that of the index, or one of its own. */
  readonly id: string;
  readonly tables: readonly CopiedTable[];
}

export interface CopyRequest {
  readonly from: string;
  readonly to: string;
  /** Gives the copy an id of its own, and so a queue of its own. */
  readonly newId: boolean;
  /** Called when it is known what of the tables is copied, before anything is: throws where somebody writes them. */
  readonly onVersions: () => Promise<void>;
  readonly onProgress: (ask: () => CopyProgress) => void;
  /** Ends the copying between two files, with its reason. */
  readonly signal: AbortSignal;
}

const STATE = '.vlmo-copy.json';
/** Folders beside the tables that hold what nobody else has. */
const KEPT_FOLDERS = ['uploads', 'results', 'damaged'];

interface TableVersion {
  readonly name: string;
  readonly version: number;
  readonly rows: number;
}

interface FileToCopy {
  /** In the index. */
  readonly path: string;
  readonly bytes: number;
}

/**
 * Copies an index into a folder that is new, empty or of the same copying, one version of each table. Files of a table never
 * change once they are written: a call that goes on compares those that are there by their digests. Each has its name when it
 * is whole and on the disk, the manifest of a table comes after its data, and the marker that makes an index of the folder
 * last, when every table was opened and counted.
 *
 * Throws STORE_NOT_FOUND, STORE_FOLDER_OCCUPIED, STORE_READ_FAILED where files go away meanwhile, STORE_WRITE_FAILED.
 */
export async function copyIndex(request: CopyRequest): Promise<CopiedIndex> {
  const { signal, newId, onVersions, onProgress } = request;
  const folder = await openIndexFolder(request.from, { create: false });
  const [from, to] = [folder.path, resolve(request.to)];
  if (isInside(from, to) || isInside(to, from))
    throw occupied(to, `a folder apart from "${from}"`, 'one of its folders');
  const versions = await readVersions(folder.lancePath);
  await onVersions();
  await claim(to, folder.id);
  const files = await listFiles(from, versions);
  const counts = { copied: 0, kept: 0, total: files.reduce((sum, { bytes }) => sum + bytes, 0) };
  onProgress(() => ({ ...counts }));
  const digests = new Map<string, string>();
  for (const file of files) {
    signal.throwIfAborted();
    const { digest, isKept } = await copyFile(from, to, file);
    digests.set(file.path, digest);
    counts[isKept ? 'kept' : 'copied'] += file.bytes;
  }
  await requireSameTables(to, versions);
  const { id, text } = await markerText(from, newId);
  await putMarker(to, text);
  const tables = versions.map((table) => describe(table, files, digests));
  return { ...counts, id, tables };
}

/** `isRead`: rows are counted by reading a column of each, which meets every file of them. */
async function readVersions(lancePath: string, isRead = false): Promise<TableVersion[]> {
  return attemptRead(`index "${dirname(lancePath)}"`, async () => {
    const connection = await connect(lancePath, { readConsistencyInterval: 0 });
    try {
      const found: TableVersion[] = [];
      for (const name of await connection.tableNames({ limit: 1_000_000 })) {
        const table = await connection.openTable(name);
        const version = await table.version();
        await table.checkout(version);
        found.push({ name, version, rows: isRead ? await readRows(table) : await table.countRows() });
        table.close();
      }
      return found;
    } finally {
      connection.close();
    }
  });
}

async function readRows(table: Table): Promise<number> {
  const [first] = (await table.schema()).fields;
  let rows = 0;
  for await (const batch of table.query().select([first?.name ?? ''])) rows += batch.numRows;
  return rows;
}

/** Makes the folder that is copied into, or finds the one that was begun. */
async function claim(to: string, id: string): Promise<void> {
  await writing(to, async () => {
    await mkdir(to, { recursive: true });
    const names = await readdir(to);
    const state = await readFile(join(to, STATE), 'utf8').catch(() => undefined);
    if (state !== undefined && (JSON.parse(state) as { id?: unknown }).id === id) return;
    if (state !== undefined)
      throw occupied(to, `a copy of index ${id}`, 'one of another index that is not whole');
    if (names.length > 0)
      throw occupied(
        to,
        'a folder that is new, empty or of a copying that was stopped',
        `one that holds "${names[0]}"`,
      );
    await writeFile(join(to, STATE), JSON.stringify({ id }), { flush: true });
  });
}

/** The files of one version of each table, its manifest behind the others, and what lies beside the tables. */
async function listFiles(from: string, versions: readonly TableVersion[]): Promise<FileToCopy[]> {
  const found: FileToCopy[] = [];
  for (const { name, version } of versions) {
    const table = join('lance', `${name}.lance`);
    const paths = await filesBelow(from, table);
    const manifests = join(table, '_versions') + sep;
    const own = paths.filter((path) => isManifest(path.slice(manifests.length), version));
    const manifest = own.find((path) => path.startsWith(manifests));
    if (manifest === undefined) throw goneMeanwhile(from, `version ${version} of table "${name}"`);
    const data = paths.filter((path) => !path.startsWith(manifests));
    for (const path of [...data, manifest]) found.push(await sized(from, path));
  }
  for (const name of KEPT_FOLDERS)
    for (const path of await filesBelow(from, name)) found.push(await sized(from, path));
  return found;
}

/** Newer manifests are named so that the newest comes first. */
function isManifest(name: string, version: number): boolean {
  const reversed = (2n ** 64n - 1n - BigInt(version)).toString().padStart(20, '0');
  return name === `${reversed}.manifest` || name === `${version}.manifest`;
}

async function filesBelow(from: string, folder: string): Promise<string[]> {
  const entries = await readdir(join(from, folder), { recursive: true, withFileTypes: true }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    },
  );
  return entries
    .flatMap((entry) => (entry.isFile() ? [relative(from, join(entry.parentPath, entry.name))] : []))
    .sort((a, b) => (a < b ? -1 : 1));
}

async function sized(from: string, path: string): Promise<FileToCopy> {
  const { size: bytes } = await stat(join(from, path)).catch(() => {
    throw goneMeanwhile(from, `"${path}"`);
  });
  return { path, bytes };
}

/** Copies a file, or finds it copied; the digest is of what then lies there. */
async function copyFile(
  from: string,
  to: string,
  { path, bytes }: FileToCopy,
): Promise<{ readonly digest: string; readonly isKept: boolean }> {
  const [source, target] = [join(from, path), join(to, path)];
  const expected = await digestOf(source).catch(() => {
    throw goneMeanwhile(from, `"${path}"`);
  });
  const there = await stat(target).catch(() => undefined);
  if (there?.size === bytes && (await digestOf(target)) === expected)
    return { digest: expected, isKept: true };
  return writing(to, async () => {
    await mkdir(dirname(target), { recursive: true });
    const temporary = `${target}.copying`;
    await copyBytes(source, temporary);
    const digest = await digestOf(temporary);
    if (digest !== expected)
      throw new Error(
        `"${path}" reads ${digest.slice(0, 12)} after it was written, and was ${expected.slice(0, 12)}`,
      );
    await rename(temporary, target);
    return { digest, isKept: false };
  });
}

async function copyBytes(source: string, target: string): Promise<void> {
  const reader = createReadStream(source, { highWaterMark: PIECE });
  await pipeline(reader, createWriteStream(target, { flush: true }));
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path);
  try {
    const buffer = Buffer.allocUnsafe(PIECE);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, PIECE, null);
      if (bytesRead === 0) return hash.digest('hex');
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await file.close();
  }
}

const PIECE = 2 ** 20;

/** Opens each table of the copy, and reads its rows. */
async function requireSameTables(to: string, versions: readonly TableVersion[]): Promise<void> {
  const copied = new Map((await readVersions(join(to, 'lance'), true)).map((table) => [table.name, table]));
  for (const { name, version, rows } of versions) {
    const found = copied.get(name);
    if (found?.version === version && found.rows === rows) continue;
    const received = found ? `${found.rows} in version ${found.version}` : 'no table';
    throw new VlmoError(
      'STORE_READ_FAILED',
      `Cannot copy table "${name}" to "${to}": expected ${rows} rows in version ${version}, received ${received}; take the folder away and copy again`,
    );
  }
}

async function putMarker(to: string, text: string): Promise<void> {
  await writing(to, async () => {
    await writeFile(join(to, '.vlmo-index.json.new'), text, { flush: true });
    await rename(join(to, '.vlmo-index.json.new'), join(to, 'vlmo-index.json'));
    await rm(join(to, STATE));
  });
}

function describe(
  { name, version, rows }: TableVersion,
  files: readonly FileToCopy[],
  digests: ReadonlyMap<string, string>,
): CopiedTable {
  const prefix = join('lance', `${name}.lance`) + sep;
  const own = files.filter(({ path }) => path.startsWith(prefix)).sort((a, b) => (a.path < b.path ? -1 : 1));
  const hash = createHash('sha256');
  for (const { path } of own) hash.update(`${digests.get(path)}  ${path.slice(prefix.length)}\n`);
  const bytes = own.reduce((sum, file) => sum + file.bytes, 0);
  return { name, version, rows, files: own.length, bytes, sha256: hash.digest('hex') };
}

function isInside(outer: string, inner: string): boolean {
  return inner === outer || inner.startsWith(outer + sep);
}

async function writing<T>(to: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    if (error instanceof VlmoError) throw error;
    throw new VlmoError(
      'STORE_WRITE_FAILED',
      `Cannot copy an index to "${to}": expected success, received ${errorMessage(error)}`,
      { cause: error },
    );
  }
}

function occupied(to: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'STORE_FOLDER_OCCUPIED',
    `Cannot copy an index to "${to}": expected ${expected}, received ${received}`,
  );
}

function goneMeanwhile(from: string, what: string): VlmoError {
  return new VlmoError(
    'STORE_READ_FAILED',
    `Cannot copy index "${from}": ${what} went away while it was copied, as another process compacts the tables; run the same command again`,
  );
}

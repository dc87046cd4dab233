import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { lstat, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { basename, join } from 'node:path';
import { VlmoError } from '#errors.ts';
import { withLock } from '#lock-file.ts';
import { fileOf, filePath, memberOf } from '#uri.ts';
import { unpack } from './unpack.ts';

const PACKED = /\.(tgz|tar\.gz|tar\.zst|tar\.xz)$/i;

/** A packed tar has no random reads. */
export function isPackedTar(name: string): boolean {
  return PACKED.test(name);
}

/** Bytes of all unpacked copies; those unused for longest make room. */
const MAX_KEPT_BYTES = 20e9;

export interface UnpackedTar {
  readonly path: string;
  /** Where it is damaged, `expected …, received …`: the copy is what comes before. */
  readonly damage: string | undefined;
}

/** Where the unpacked copy of a tar lies, or would; another place for each content. Throws what looking at the tar throws. */
export function unpackedPath(container: string): string {
  const path = filePath(container);
  const { size, mtimeNs } = statSync(path, { bigint: true });
  const name = createHash('sha256').update(`${path}\0${size}\0${mtimeNs}`).digest('hex').slice(0, 32);
  return join(folder(), `${name}.tar`);
}

function folder(): string {
  return join(tmpdir(), `vlmo-unpacked-${userInfo().uid}`);
}

/** Whether what a uri names can only be read from the unpacked copy of its tar. */
export function isInPackedTar(uri: string): boolean {
  return memberOf(uri) !== undefined && isPackedTar(fileOf(uri));
}

/** Makes the copy that reading this uri needs; nothing where it needs none, or where its tar is gone. */
export async function unpackFor(uri: string): Promise<void> {
  if (!isInPackedTar(uri)) return;
  await unpackTar(fileOf(uri)).catch((error: unknown) => {
    // Whoever reads it says so.
    if (error instanceof VlmoError) throw error;
  });
}

/**
 * Unpacks a tar once, for all processes of this machine. Throws what `unpack` throws, and MACHINE_FAILED where the folder for the copies
 * is another user's.
 */
export async function unpackTar(container: string): Promise<UnpackedTar> {
  const path = unpackedPath(container);
  await requireFolder();
  if (!(await touch(path)))
    await withLock(`${path}.lock`, async () => {
      if (!(await touch(path))) await make(container, path);
    });
  return { path, damage: await readFile(`${path}.damage`, 'utf8').catch(() => undefined) };
}

/** In a folder that everybody writes to, somebody else may have made it first, to have other pictures read. */
async function requireFolder(): Promise<void> {
  await mkdir(folder(), { recursive: true, mode: 0o700 });
  const found = await lstat(folder());
  const isOwn = process.platform === 'win32' || (found.uid === userInfo().uid && (found.mode & 0o022) === 0);
  if (found.isDirectory() && isOwn) return;
  throw new VlmoError(
    'MACHINE_FAILED',
    `Cannot unpack into "${folder()}": expected a folder that this user alone writes to, received another; TMPDIR names another place`,
  );
}

/** Whether it is there; it counts as used now. */
async function touch(path: string): Promise<boolean> {
  const now = new Date();
  return utimes(path, now, now).then(
    () => true,
    () => false,
  );
}

async function make(container: string, path: string): Promise<void> {
  await makeRoom(path);
  const partial = `${path}.${process.pid}.partial`;
  try {
    const damage = await unpack(container, partial);
    if (damage === undefined) await rm(`${path}.damage`, { force: true });
    else await writeFile(`${path}.damage`, damage, { mode: 0o600 });
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
}

async function makeRoom(path: string): Promise<void> {
  const names = (await readdir(folder())).filter(
    (name) => /\.(tar|partial)$/.test(name) && name !== basename(path),
  );
  const copies = await Promise.all(
    names.map(async (name) => {
      const found = await stat(join(folder(), name)).catch(() => undefined);
      return { path: join(folder(), name), size: found?.size ?? 0, used: found?.mtimeMs ?? 0 };
    }),
  );
  let left = copies.reduce((sum, { size }) => sum + size, 0);
  for (const copy of copies.toSorted((a, b) => a.used - b.used)) {
    if (left <= MAX_KEPT_BYTES) return;
    await Promise.all([rm(copy.path, { force: true }), rm(`${copy.path}.damage`, { force: true })]);
    left -= copy.size;
  }
}

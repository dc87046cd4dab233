import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, statSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import * as zlib from 'node:zlib';
import { VlmoError } from '#errors.ts';
import { withLock } from '#lock-file.ts';
import { orMachineError } from '#machine-error.ts';
import { fileOf, filePath, memberOf } from '#uri.ts';

const PACKED = /\.(tgz|tar\.gz|tar\.zst|tar\.xz)$/i;

/** A packed tar has no random reads. */
export function isPackedTar(name: string): boolean {
  return PACKED.test(name);
}

/** More than any data set of pictures or texts packs to. */
const MAX_RATIO = 200;
const SPARE_BYTES = 64 * 2 ** 20;
/** Bytes of all unpacked copies; those unused for longest make room. */
const MAX_KEPT_BYTES = 20e9;

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

/** Makes the copy that reading this uri needs; nothing where it needs none. */
export async function unpackFor(uri: string): Promise<void> {
  if (memberOf(uri) && isPackedTar(fileOf(uri))) await unpackTar(fileOf(uri));
}

/**
 * Unpacks a tar once, for all processes of this machine; resolves with the path of the copy. Of a damaged one what comes before the
 * damage is kept, which whoever reads it sees end in the middle. Throws SOURCE_UNSUPPORTED where it unpacks to more than 200 times its size,
 * MACHINE_FAILED where there is no room, and what opening it throws.
 */
export async function unpackTar(container: string): Promise<string> {
  const path = unpackedPath(container);
  await mkdir(folder(), { recursive: true, mode: 0o700 });
  if (await touch(path)) return path;
  await withLock(`${path}.lock`, async () => {
    if (await touch(path)) return;
    const { size } = await stat(filePath(container));
    await makeRoom();
    const partial = `${path}.${process.pid}`;
    try {
      await unpack(container, partial, MAX_RATIO * size + SPARE_BYTES);
      await rename(partial, path);
    } finally {
      await rm(partial, { force: true });
    }
  });
  return path;
}

/** Whether it is there; it counts as used now. */
async function touch(path: string): Promise<boolean> {
  const now = new Date();
  return utimes(path, now, now).then(
    () => true,
    () => false,
  );
}

async function makeRoom(): Promise<void> {
  const files = await Promise.all(
    (await readdir(folder())).map(async (name) => {
      const path = join(folder(), name);
      const found = await stat(path).catch(() => undefined);
      return { path, size: found?.size ?? 0, used: found?.mtimeMs ?? 0 };
    }),
  );
  let left = files.reduce((sum, { size }) => sum + size, 0);
  for (const { path, size } of files.toSorted((a, b) => a.used - b.used)) {
    if (left <= MAX_KEPT_BYTES) return;
    await rm(path, { force: true });
    left -= size;
  }
}

async function unpack(container: string, to: string, maxBytes: number): Promise<void> {
  let size = 0;
  const bounded = new Transform({
    transform(piece: Buffer, _, done) {
      size += piece.length;
      if (size <= maxBytes) done(null, piece);
      else done(tooLarge(container, maxBytes));
    },
  });
  const packed = createReadStream(filePath(container));
  try {
    const unpacked = await unpacker(container, packed);
    await pipeline(unpacked, bounded, createWriteStream(to, { mode: 0o600 }));
  } catch (error) {
    if (error instanceof VlmoError || size === 0 || !isDamage(error))
      throw orMachineError(`Cannot unpack "${container}"`, error);
  }
}

async function unpacker(container: string, packed: Readable): Promise<Readable> {
  if (/\.xz$/i.test(container)) {
    const { XzReadableStream } = await loadXz();
    const unpacked = new XzReadableStream(Readable.toWeb(packed) as globalThis.ReadableStream<Uint8Array>);
    return Readable.fromWeb(unpacked as ReadableStream<Uint8Array>);
  }
  const isZstd = /\.zst$/i.test(container);
  // Node 22 has it since 22.15.
  if (isZstd && typeof zlib.createZstdDecompress !== 'function')
    throw new VlmoError(
      'SOURCE_UNSUPPORTED',
      `Cannot unpack "${container}": expected Node 22.15 or later for zstd, received ${process.version}`,
    );
  const unpacked = isZstd ? zlib.createZstdDecompress() : zlib.createGunzip();
  packed.on('error', (error) => unpacked.destroy(error));
  return packed.pipe(unpacked);
}

/** Its types say an ES module, and it is CommonJS. */
async function loadXz(): Promise<typeof import('xz-decompress')> {
  const loaded: typeof import('xz-decompress') & { default?: typeof import('xz-decompress') } = await import(
    'xz-decompress'
  );
  return loaded.default ?? loaded;
}

/** Content that is cut or wrong, not a disk that fails. */
function isDamage(error: unknown): boolean {
  const { code = '', syscall } = error as NodeJS.ErrnoException;
  return syscall === undefined && (/^(Z_|ZSTD)/.test(code) || code === '' || /ZSTD/i.test(code));
}

function tooLarge(container: string, maxBytes: number): VlmoError {
  return new VlmoError(
    'SOURCE_UNSUPPORTED',
    `Cannot unpack "${container}": expected at most ${maxBytes} bytes (${MAX_RATIO} times its size), received more`,
  );
}

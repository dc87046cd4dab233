import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import * as zlib from 'node:zlib';
import { errorMessage, VlmoError } from '#errors.ts';
import { errnoOf, orMachineError } from '#machine-error.ts';
import { filePath } from '#uri.ts';

/** More than any data set of pictures or texts packs to. */
const MAX_RATIO = 200;
const SPARE_BYTES = 64 * 2 ** 20;

/**
 * Unpacks a file of gzip, zstd or xz, which its name says. What comes before damage is kept, and the damage is what this resolves with.
 * Throws SOURCE_UNSUPPORTED where it unpacks to more than 200 times its size, MACHINE_FAILED where there is no room, and what opening throws.
 */
export async function unpack(container: string, to: string): Promise<string | undefined> {
  const path = filePath(container);
  const { size } = await stat(path);
  const maxBytes = MAX_RATIO * size + SPARE_BYTES;
  let done = 0;
  const bounded = new Transform({
    transform(piece: Buffer, _, next) {
      done += piece.length;
      if (done <= maxBytes) next(null, piece);
      else next(tooLarge(container, maxBytes));
    },
  });
  let damage: unknown;
  async function* untilDamage() {
    try {
      yield* unpacked(container, path);
    } catch (error) {
      if (error instanceof VlmoError || isOfTheDisk(error)) throw error;
      damage = error;
    }
  }
  try {
    await pipeline(untilDamage, bounded, createWriteStream(to, { mode: 0o600 }));
  } catch (error) {
    throw orMachineError(`Cannot unpack "${container}"`, error);
  }
  if (size === 0) return 'expected something packed, received 0 bytes';
  if (damage === undefined) return undefined;
  return `expected it whole, received damage behind byte ${done} of what it unpacks to (${errorMessage(damage)})`;
}

function unpacked(container: string, path: string | Buffer): AsyncIterable<Uint8Array> | Readable {
  if (/\.xz$/i.test(container)) return unpackedXz(path);
  if (/\.zst$/i.test(container)) return unpackedZstd(container, path);
  const packed = createReadStream(path);
  const plain = zlib.createGunzip();
  packed.on('error', (error) => plain.destroy(error));
  plain.on('close', () => packed.destroy());
  return packed.pipe(plain);
}

async function* unpackedXz(path: string | Buffer): AsyncGenerator<Uint8Array> {
  const { XzReadableStream } = await loadXz();
  const packed = Readable.toWeb(createReadStream(path)) as globalThis.ReadableStream<Uint8Array>;
  yield* Readable.fromWeb(new XzReadableStream(packed) as ReadableStream<Uint8Array>);
}

/** Frame by frame: Node ends with the first, and those who pack in parallel, or for seeking, write many. */
async function* unpackedZstd(container: string, path: string | Buffer): AsyncGenerator<Uint8Array> {
  // Node 22 has it since 22.15.
  if (typeof zlib.createZstdDecompress !== 'function')
    throw new VlmoError(
      'SOURCE_UNSUPPORTED',
      `Cannot unpack "${container}": expected Node 22.15 or later for zstd, received ${process.version}`,
    );
  const packed = createReadStream(path).iterator();
  let chunk: Buffer | undefined;
  const next = async (): Promise<Buffer | undefined> => (await packed.next()).value as Buffer | undefined;

  /** Gives a frame its bytes; what is left of the last chunk belongs to the next one. */
  async function feed(frame: zlib.ZstdDecompress): Promise<void> {
    for (; chunk !== undefined && !frame.destroyed; chunk = await next()) {
      const before = frame.bytesWritten;
      await new Promise<unknown>((resolve) => frame.write(chunk, resolve));
      const taken = frame.bytesWritten - before;
      if (taken < chunk.length) {
        chunk = chunk.subarray(taken);
        return;
      }
    }
    frame.end();
  }

  try {
    chunk = await next();
    while (chunk !== undefined) {
      const frame = zlib.createZstdDecompress();
      const fed = feed(frame).catch((error: Error) => frame.destroy(error));
      yield* frame;
      await fed;
    }
  } finally {
    await packed.return?.();
  }
}

/** Its types say an ES module, and it is CommonJS. */
async function loadXz(): Promise<typeof import('xz-decompress')> {
  const loaded: typeof import('xz-decompress') & { default?: typeof import('xz-decompress') } = await import(
    'xz-decompress'
  );
  return loaded.default ?? loaded;
}

/** Whatever the disk says; what is wrong with the content has a number too, and no call of the system. */
function isOfTheDisk(error: unknown): boolean {
  return errnoOf(error) !== undefined && error instanceof Error && 'syscall' in error;
}

function tooLarge(container: string, maxBytes: number): VlmoError {
  return new VlmoError(
    'SOURCE_UNSUPPORTED',
    `Cannot unpack "${container}": expected at most ${maxBytes} bytes (${MAX_RATIO} times its size), received more`,
  );
}

import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorMessage, VlmoError } from '#errors.ts';

/**
 * How pixels leave a decode process: a file in memory without a name, which both processes hold open. A picture of 150 kB
 * costs its reader a third of what a pipe costs.
 *
 *     slot = request number % SLOTS    ┌────────────┬────────┬────────────────────┐
 *                                      │ number u32 │ sha256 │ pixels [C, H, W]   │
 *                                      └────────────┴────────┴────────────────────┘
 *
 * The process writes the head before it decodes: where it dies, its parent still learns what content did it.
 */

/** Pictures that a process has at a time: one that it decodes, one that it has read meanwhile. */
export const SLOTS = 2;

const DIGEST_BYTES = 32;
const HEAD_BYTES = 4 + DIGEST_BYTES;

/** A slot of the file, as either side sees it. */
export class PixelSlots {
  readonly #file: number;
  readonly #pictureBytes: number;

  constructor(file: number, pictureBytes: number) {
    this.#file = file;
    this.#pictureBytes = pictureBytes;
  }

  writeHead(number: number, sha256: string): void {
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(number);
    head.write(sha256, 4, 'hex');
    writeSync(this.#file, head, 0, HEAD_BYTES, this.#at(number));
  }

  /** The digest of what a request reads, where it was read. */
  readHead(number: number): string | null {
    const head = Buffer.alloc(HEAD_BYTES);
    readSync(this.#file, head, 0, HEAD_BYTES, this.#at(number));
    return head.readUInt32LE() === number ? head.toString('hex', 4) : null;
  }

  writePixels(number: number, pixels: Uint8Array): void {
    writeSync(this.#file, pixels, 0, this.#pictureBytes, this.#at(number) + HEAD_BYTES);
  }

  readPixels(number: number, into: Uint8Array): void {
    readSync(this.#file, into, 0, this.#pictureBytes, this.#at(number) + HEAD_BYTES);
  }

  #at(number: number): number {
    return (number % SLOTS) * (HEAD_BYTES + this.#pictureBytes);
  }
}

/** Memory on Linux; elsewhere the system keeps what is used again and again in memory by itself. */
const MEMORY = '/dev/shm';

/**
 * Opens a file for the slots of one process. It has no name by the time this returns, so that nothing is left of it
 * whoever is killed, and its room is taken at once: later no write can find the disk full. Throws DECODER_UNAVAILABLE.
 */
export function openPixelFile(pictureBytes: number): number {
  const reasons: string[] = [];
  for (const folder of [MEMORY, tmpdir()]) {
    try {
      return openUnnamed(folder, SLOTS * (HEAD_BYTES + pictureBytes));
    } catch (error) {
      reasons.push(errorMessage(error));
    }
  }
  throw new VlmoError(
    'DECODER_UNAVAILABLE',
    `Cannot start a decode process: no folder takes its pixels (${reasons.join('; ')})`,
  );
}

function openUnnamed(folder: string, bytes: number): number {
  const path = join(folder, `vlmo-pixels-${crypto.randomUUID()}`);
  const file = openSync(path, 'wx+', 0o600);
  try {
    unlinkSync(path);
    // Numbers of requests begin at 1: no head is valid yet.
    if (writeSync(file, new Uint8Array(bytes)) === bytes) return file;
    throw new Error(`ENOSPC: "${folder}" has no room for ${bytes} bytes`);
  } catch (error) {
    closeSync(file);
    throw error;
  }
}

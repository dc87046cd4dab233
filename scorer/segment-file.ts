import { readSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorMessage, VlmoError } from '#errors.ts';
import { halfToFloat } from '#float16.ts';
import type { SegmentType } from './protocol.ts';

/** The vectors of a segment in a file without anything else, [rows, dimensions], as a device takes them. */
export interface SegmentFile {
  readonly folder: string;
  readonly location: string;
  append(halves: Uint16Array): Promise<void>;
  /** The stored values [dimensions] of a row, also when the name of the file is gone. */
  read(row: number, target: Float32Array): void;
  /** Takes the name away: what has the file open or mapped keeps it. */
  unlink(): Promise<void>;
  close(): Promise<void>;
}

export async function createSegmentFile(
  folder: string,
  location: string,
  type: SegmentType,
): Promise<SegmentFile> {
  const path = join(folder, location);
  const file = await writing(path, () => open(path, 'wx+', 0o600));
  return {
    ...{ folder, location },
    async append(halves) {
      const values = type === 'float16' ? halves : halfToFloat(halves);
      const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
      await writing(path, () => file.writeFile(bytes));
    },
    read: (row, target) => readRow(file, type, row, target),
    unlink: () => rm(path, { force: true }),
    close: () => file.close(),
  };
}

/** At once: the kernel has the pages, or the device could not have been given them. */
function readRow({ fd }: FileHandle, type: SegmentType, row: number, target: Float32Array): void {
  const raw = type === 'float16' ? new Uint16Array(target.length) : target;
  const bytes = new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
  if (readSync(fd, bytes, 0, bytes.length, row * bytes.length) !== bytes.length)
    throw new Error(`Row ${row} is not in its segment: this is a bug`);
  if (raw instanceof Uint16Array) halfToFloat(raw, target);
}

async function writing<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    const hint = 'set TMPDIR to a folder with room for the vectors';
    throw new VlmoError(
      'SCORING_FAILED',
      `Cannot write vectors to "${path}": expected room for them, received ${errorMessage(error)}; ${hint}`,
      { cause: error },
    );
  }
}

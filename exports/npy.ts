import { open } from 'node:fs/promises';
import { endianness } from 'node:os';
import type { Batch, OutputFile } from './output-file.ts';

/** A table of numbers, or of texts of one length, as numpy keeps it: `<f2` [rows, 512], `|S22` [rows]. */
export interface NpyType {
  /** As numpy spells it. */
  readonly descr: string;
  /** The shape of one row; empty where each is one value. */
  readonly row: readonly number[];
}

/** Room for any count of rows: the header is written before that is known, and again when it is. */
const HEADER_BYTES = 128;

/** A `.npy` file (format 1.0) that is written row by row; `bytes` gives the rows of a batch in the file's order. */
export async function createNpy(
  path: string,
  type: NpyType,
  bytes: (batch: Batch) => Uint8Array,
): Promise<OutputFile> {
  const file = await open(path, 'w');
  let rows = 0;
  await file.write(npyHeader(type, rows));
  return {
    async write(batch) {
      const piece = bytes(batch);
      for (let at = 0; at < piece.length; ) {
        const { bytesWritten } = await file.write(piece, at);
        at += bytesWritten;
      }
      rows += batch.keys.length;
    },
    async end() {
      try {
        await file.write(npyHeader(type, rows), 0, HEADER_BYTES, 0);
      } finally {
        await file.close();
      }
    },
  };
}

/** float16 bits as the file has them, which is little-endian wherever it is written. */
export function halfBytes(halves: Uint16Array): Uint8Array {
  const bytes = Buffer.from(halves.buffer, halves.byteOffset, halves.byteLength);
  return endianness() === 'LE' ? bytes : Buffer.from(bytes).swap16();
}

function npyHeader({ descr, row }: NpyType, rows: number): Buffer {
  const shape = row.length === 0 ? `${rows},` : [rows, ...row].join(', ');
  const text = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${shape}), }`;
  const header = Buffer.alloc(HEADER_BYTES, ' ');
  header.write('\x93NUMPY\x01\x00', 'latin1');
  header.writeUInt16LE(HEADER_BYTES - 10, 8);
  header.write(text, 10, 'latin1');
  header.write('\n', HEADER_BYTES - 1);
  return header;
}

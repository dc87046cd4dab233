import { type FileHandle, open } from 'node:fs/promises';
import { endianness } from 'node:os';
import { VlmoError } from '#errors.ts';
import { halfToFloat } from '#float16.ts';

/** A `.npy` file of vectors: little-endian float16 or float32, a row behind the other. */
export interface VectorFile {
  readonly path: string;
  readonly rows: number;
  readonly dimensions: number;
  /** Bytes of one number: 2 or 4. */
  readonly width: 2 | 4;
  /** Where the numbers begin. */
  readonly start: number;
}

/** Longer headers are of no table of numbers; longer vectors of no model. */
const MAX_HEADER_BYTES = 4096;
const MAX_DIMENSIONS = 16_384;

/** Reads the header, and holds the file's size against it. Throws VECTORS_MALFORMED. */
export async function openVectorFile(path: string): Promise<VectorFile> {
  const file = await open(path);
  try {
    const { text, start } = await readHeader(path, file);
    const found = { path, start, ...parseHeader(path, text) };
    const expected = start + found.rows * found.dimensions * found.width;
    const { size } = await file.stat();
    if (size !== expected) throw malformed(path, `${expected} bytes by its header`, `${size}`);
    return found;
  } finally {
    await file.close();
  }
}

/** Rows `from` to `to` as float32 [rows, dimensions]. Throws VECTORS_MALFORMED for a file that has become shorter. */
export async function readVectors(
  file: FileHandle,
  { path, start, dimensions, width }: VectorFile,
  from: number,
  to: number,
): Promise<Float32Array> {
  const bytes = new Uint8Array((to - from) * dimensions * width);
  const at = start + from * dimensions * width;
  for (let read = 0; read < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, read, bytes.length - read, at + read);
    if (bytesRead === 0) throw malformed(path, 'the rows that it had when it was opened', 'fewer');
    read += bytesRead;
  }
  const buffer = Buffer.from(bytes.buffer);
  if (endianness() === 'BE') width === 2 ? buffer.swap16() : buffer.swap32();
  return width === 2 ? halfToFloat(new Uint16Array(bytes.buffer)) : new Float32Array(bytes.buffer);
}

async function readHeader(path: string, file: FileHandle): Promise<{ text: string; start: number }> {
  const head = Buffer.alloc(MAX_HEADER_BYTES);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  const version = head[6] ?? 0;
  if (bytesRead < 12 || head.toString('latin1', 0, 6) !== '\x93NUMPY' || version < 1 || version > 3)
    throw malformed(path, 'a .npy file', 'something else');
  const [length, before] = version === 1 ? [head.readUInt16LE(8), 10] : [head.readUInt32LE(8), 12];
  if (before + length > bytesRead)
    throw malformed(path, `a header of at most ${MAX_HEADER_BYTES} bytes`, `${length}`);
  return { text: head.toString('latin1', before, before + length), start: before + length };
}

/** The text is a dictionary of Python; only what numpy writes of a plain table is one for us. */
function parseHeader(path: string, text: string): Pick<VectorFile, 'rows' | 'dimensions' | 'width'> {
  const descr = /'descr': '([^']{1,16})'/.exec(text)?.[1];
  const width = descr === '<f2' ? 2 : descr === '<f4' ? 4 : undefined;
  if (width === undefined)
    throw malformed(
      path,
      'float16 or float32, little-endian ("<f2", "<f4")',
      descr ?? 'values of another type',
    );
  if (!/'fortran_order': False/.test(text))
    throw malformed(path, 'rows behind each other (C order)', 'columns behind each other (Fortran order)');
  const shape = /'shape': \(([\d, ]*)\)/.exec(text)?.[1] ?? '';
  const [rows, dimensions, ...more] = shape.split(',').flatMap((size) => (size.trim() ? [Number(size)] : []));
  const isTable = Number.isSafeInteger(rows) && dimensions !== undefined && more.length === 0;
  if (rows === undefined || !isTable || dimensions < 1 || dimensions > MAX_DIMENSIONS)
    throw malformed(path, `a shape (rows, 1 to ${MAX_DIMENSIONS} values)`, `(${shape})`);
  return { rows, dimensions, width };
}

export function malformed(what: string, expected: string, received: string): VlmoError {
  return new VlmoError(
    'VECTORS_MALFORMED',
    `Cannot import vectors from "${what}": expected ${expected}, received ${received}`,
  );
}

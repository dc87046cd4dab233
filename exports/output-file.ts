import { type FileHandle, open } from 'node:fs/promises';

/** Rows on their way into files, side by side. */
export interface Batch {
  readonly keys: readonly string[];
  /** What columns are made of; empty where only vectors are written. */
  readonly rows: readonly object[];
  /** By their names, float16 bits [rows, D]. */
  readonly vectors: Readonly<Record<string, Uint16Array>>;
}

/** One file on its way: nothing reads it before it has ended. */
export interface OutputFile {
  write(batch: Batch): Promise<void>;
  /** Writes what belongs at the end, and gives the file back. */
  end(): Promise<void>;
}

/** One file of each part: where it lies, and how it is begun. */
export interface FileKind {
  /** Folder in the export, and the beginning of the file's name. */
  readonly name: string;
  readonly ending: string;
  create(path: string): Promise<OutputFile>;
}

/** `images/images_03.parquet` */
export function partPath({ name, ending }: FileKind, part: number, digits: number): string {
  return `${name}/${name}_${String(part).padStart(digits, '0')}.${ending}`;
}

/** Rows `from` to `to` of a batch. */
export function sliceBatch(batch: Batch, from: number, to: number): Batch {
  if (from === 0 && to === batch.keys.length) return batch;
  const vectors = Object.entries(batch.vectors).map(([name, halves]) => {
    const width = halves.length / batch.keys.length;
    return [name, halves.subarray(from * width, to * width)] as const;
  });
  return {
    keys: batch.keys.slice(from, to),
    rows: batch.rows.slice(from, to),
    vectors: Object.fromEntries(vectors),
  };
}

/** What a power cut does not take away again. */
export async function syncFile(path: string): Promise<void> {
  await withFile(path, 'r+', (file) => file.datasync());
}

async function withFile<T>(path: string, flags: string, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

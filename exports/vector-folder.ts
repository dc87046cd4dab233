import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { asyncBufferFromFile, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { errorMessage, VlmoError } from '#errors.ts';
import { malformed, openVectorFile, readVectors, type VectorFile } from './read-npy.ts';

/** The files of one number; a folder that the layout lacks has none. */
export interface VectorPart {
  readonly number: number;
  readonly rows: number;
  readonly image: VectorFile | undefined;
  readonly text: VectorFile | undefined;
  readonly metadata: string | undefined;
}

/** A folder in clip-retrieval's layout, looked through: every part has the same kinds of files, and each the same rows. */
export interface VectorFolder {
  /** In numeric order. */
  readonly parts: readonly VectorPart[];
  readonly rows: number;
  readonly dimensions: number;
}

/** A row as anybody may have written it: none of its columns need be there, or be of any type. */
export interface MetadataRow {
  readonly [other: string]: unknown;
  readonly image_path?: unknown;
  readonly caption?: unknown;
  readonly url?: unknown;
  readonly key?: unknown;
  readonly source?: unknown;
  readonly id?: unknown;
  readonly uri?: unknown;
  readonly width?: unknown;
  readonly height?: unknown;
  readonly bytes?: unknown;
  readonly sha256?: unknown;
  readonly format?: unknown;
  readonly meta?: unknown;
  readonly caption_key?: unknown;
  readonly caption_source?: unknown;
  readonly caption_id?: unknown;
  readonly caption_uri?: unknown;
  readonly caption_image_source?: unknown;
  readonly caption_image_id?: unknown;
  readonly caption_meta?: unknown;
}

export interface ReadVectors extends Pick<VectorFile, 'width'> {
  /** float32 [count, dimensions]. */
  readonly vectors: Float32Array;
}

/** Rows of one part, side by side. */
export interface VectorRows {
  readonly part: number;
  /** Place of the first one in its part. */
  readonly from: number;
  readonly count: number;
  readonly image: ReadVectors | undefined;
  readonly text: ReadVectors | undefined;
  /** An empty object for each row where there is no metadata. */
  readonly metadata: readonly MetadataRow[];
}

const KINDS = ['img_emb', 'text_emb', 'metadata'] as const;
type Kind = (typeof KINDS)[number];

/** Throws SOURCE_NOT_FOUND, and VECTORS_MALFORMED for files that are damaged or do not go together. */
export async function openVectorFolder(folder: string): Promise<VectorFolder> {
  await readdir(folder).catch((error: unknown) => {
    throw new VlmoError(
      'SOURCE_NOT_FOUND',
      `Cannot import vectors from "${folder}": expected a folder, received ${errorMessage(error)}`,
      { cause: error },
    );
  });
  const found = await Promise.all(KINDS.map(async (kind) => [kind, await listParts(folder, kind)] as const));
  const files: Readonly<Record<Kind, ReadonlyMap<number, string> | undefined>> = Object.fromEntries(
    found,
  ) as never;
  const vectors = files.img_emb ?? files.text_emb;
  if (!vectors)
    throw malformed(folder, 'img_emb/img_emb_0.npy or text_emb/text_emb_0.npy and more', 'neither');
  const numbers = [...vectors.keys()].sort((a, b) => a - b);
  requireSameParts(folder, numbers, files);
  const parts: VectorPart[] = [];
  for (const number of numbers) parts.push(await openPart(number, files));
  const dimensions = requireOneLength(parts);
  return { parts, dimensions, rows: parts.reduce((sum, { rows }) => sum + rows, 0) };
}

/** Throws VECTORS_MALFORMED for what has become damaged since it was opened. */
export async function* readVectorRows(
  { parts }: VectorFolder,
  rowsAtOnce: number,
): AsyncGenerator<VectorRows> {
  for (const part of parts) {
    const [image, text] = [await openReader(part.image), await openReader(part.text)];
    const metadata = metadataRows(part);
    try {
      for (let from = 0; from < part.rows; from += rowsAtOnce) {
        const to = Math.min(part.rows, from + rowsAtOnce);
        yield {
          ...{ part: part.number, from, count: to - from },
          ...{ image: await image?.read(from, to), text: await text?.read(from, to) },
          metadata: await metadata(from, to),
        };
      }
    } finally {
      await image?.close();
      await text?.close();
    }
  }
}

async function openReader(file: VectorFile | undefined) {
  if (!file) return undefined;
  const handle = await open(file.path);
  return {
    read: async (from: number, to: number): Promise<ReadVectors> => ({
      ...{ width: file.width, vectors: await readVectors(handle, file, from, to) },
    }),
    close: () => handle.close(),
  };
}

/** The files of one kind by their numbers; undefined where the folder has none. */
async function listParts(folder: string, kind: Kind): Promise<ReadonlyMap<number, string> | undefined> {
  const names = await readdir(join(folder, kind)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw malformed(join(folder, kind), 'a folder', errorMessage(error));
  });
  const pattern = new RegExp(`^${kind}_(\\d{1,9})\\.${kind === 'metadata' ? 'parquet' : 'npy'}$`);
  const parts = new Map<number, string>();
  for (const name of names) {
    const number = Number(pattern.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(number)) continue;
    if (parts.has(number)) throw malformed(join(folder, kind), `one file of number ${number}`, 'two');
    parts.set(number, join(folder, kind, name));
  }
  return parts.size > 0 ? parts : undefined;
}

function requireSameParts(
  folder: string,
  numbers: readonly number[],
  files: Readonly<Record<Kind, ReadonlyMap<number, string> | undefined>>,
): void {
  for (const kind of KINDS) {
    const parts = files[kind];
    if (!parts) continue;
    const missing = numbers.find((number) => !parts.has(number));
    const surplus = [...parts.keys()].find((number) => !numbers.includes(number));
    if (missing !== undefined) throw malformed(join(folder, kind), `a part ${missing}`, 'none');
    if (surplus !== undefined)
      throw malformed(join(folder, kind), 'the parts that there are vectors of', `part ${surplus} too`);
  }
}

async function openPart(
  number: number,
  files: Readonly<Record<Kind, ReadonlyMap<number, string> | undefined>>,
): Promise<VectorPart> {
  const [imagePath, textPath] = [files.img_emb?.get(number), files.text_emb?.get(number)];
  const metadata = files.metadata?.get(number);
  const image = imagePath === undefined ? undefined : await openVectorFile(imagePath);
  const text = textPath === undefined ? undefined : await openVectorFile(textPath);
  const rows = image?.rows ?? text?.rows ?? 0;
  if (text && text.rows !== rows)
    throw malformed(text.path, `${rows} rows, as its pictures have`, `${text.rows}`);
  if (metadata !== undefined) {
    const count = Number((await openMetadata(metadata)).metadata.num_rows);
    if (count !== rows) throw malformed(metadata, `${rows} rows, as its vectors have`, `${count}`);
  }
  return { number, rows, image, text, metadata };
}

function requireOneLength(parts: readonly VectorPart[]): number {
  const files = parts.flatMap(({ image, text }) => [image, text]).filter((file) => file !== undefined);
  const [first] = files;
  const other = files.find(({ dimensions }) => dimensions !== first?.dimensions);
  if (first && other)
    throw malformed(
      other.path,
      `vectors of ${first.dimensions} values, as the others`,
      `${other.dimensions}`,
    );
  return first?.dimensions ?? 0;
}

/** Rows of Parquet that are decoded at once: its row groups may have a million. */
const DECODED = 32_768;

/** Reads rows of a part one after the other. */
function metadataRows({ metadata: path }: VectorPart) {
  let [start, decoded]: [number, MetadataRow[]] = [0, []];
  let opened: Awaited<ReturnType<typeof openMetadata>> | undefined;
  return async (from: number, to: number): Promise<readonly MetadataRow[]> => {
    if (path === undefined) return Array.from({ length: to - from }, () => ({}));
    opened ??= await openMetadata(path);
    if (to > start + decoded.length) {
      const end = Math.min(Number(opened.metadata.num_rows), from + Math.max(DECODED, to - from));
      decoded = await parquetReadObjects({ ...opened, rowStart: from, rowEnd: end }).catch(
        (error: unknown) => {
          throw malformed(path, 'Parquet that is whole, compressed by Snappy or not', errorMessage(error));
        },
      );
      start = from;
    }
    return decoded.slice(from - start, to - start);
  };
}

async function openMetadata(path: string) {
  try {
    const file = await asyncBufferFromFile(path);
    return { file, metadata: (await parquetMetadataAsync(file)) as FileMetaData };
  } catch (error) {
    throw malformed(path, 'a Parquet file', errorMessage(error));
  }
}

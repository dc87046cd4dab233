import { chunks } from '#batches.ts';
import type { FailureTable, Filter, GenerationTables } from '#store/contract.ts';
import { ahead, gathered } from './ahead.ts';
import { createArrowOutput } from './arrow-file.ts';
import {
  CAPTION_COLUMNS,
  type Column,
  FAILURE_COLUMNS,
  IMAGE_COLUMNS,
  type ImageRow,
  PAIR_COLUMNS,
  type PairRow,
} from './columns.ts';
import { createJsonlOutput } from './jsonl-file.ts';
import { createNpy, halfBytes } from './npy.ts';
import type { Batch, FileKind } from './output-file.ts';
import { createParquetOutput } from './parquet-file.ts';
import type { Layout } from './request.ts';

/** What is written into parts of its own: rows, and the files that each part of them is. */
export interface OutputTable {
  readonly name: string;
  readonly count: () => Promise<number>;
  readonly read: () => AsyncIterable<Batch>;
  readonly files: readonly FileKind[];
}

export interface Wanted {
  readonly images: boolean;
  readonly captions: boolean;
  readonly where?: Filter | undefined;
}

const FAILURES_AT_ONCE = 4096;
/** Pictures whose captions are looked for at once: a look for many takes little longer than one for few. */
const LOOKED_UP = 4096;
/** Length of an item's key. */
export const KEY_BYTES = 22;

/** The tables of a layout. */
export function outputTables(layout: Layout, tables: GenerationTables, wanted: Wanted): OutputTable[] {
  if (layout === 'clip-retrieval') return [pairs(tables, wanted)];
  return [
    ...(wanted.images ? [images(layout, tables, wanted.where)] : []),
    ...(wanted.captions ? [captions(layout, tables, wanted.where)] : []),
  ];
}

/** What could not be stored; as Parquet beside layouts of vectors alone. */
export function failureTable(layout: Layout, failures: FailureTable, collection: string): OutputTable {
  const kind = layout === 'arrow' || layout === 'jsonl' ? layout : 'parquet';
  return {
    name: 'failures',
    count: () => failures.count(collection),
    async *read() {
      for await (const rows of chunks(failures.scan(collection), FAILURES_AT_ONCE))
        yield { keys: rows.map(({ key }) => key), rows, vectors: {} };
    },
    files: [rowFile(kind, 'failures', FAILURE_COLUMNS, {})],
  };
}

function images(layout: RowLayout, { record, images: table, captions }: GenerationTables, where?: Filter) {
  return {
    name: 'images',
    count: () => table.count(where),
    read: () => (layout === 'npy' ? keyed(table.scanKeyedVectors(where)) : withCaptions()),
    files: files(layout, 'images', IMAGE_COLUMNS, record.dimensions),
  };

  async function* withCaptions(): AsyncGenerator<Batch> {
    for await (const { rows, halves } of ahead(gathered(table.scanVectors(where), LOOKED_UP))) {
      const keys = rows.map(({ key }) => key);
      const first = await captions.firstOfImages(keys);
      const found = rows.map((image): ImageRow => ({ image, caption: first.get(image.key) ?? null }));
      yield { keys, rows: found, vectors: { vector: halves } };
    }
  }
}

function captions(layout: RowLayout, { record, captions: table }: GenerationTables, where?: Filter) {
  return {
    name: 'captions',
    count: () => table.count(where),
    read: () => (layout === 'npy' ? keyed(table.scanKeyedVectors(where)) : whole()),
    files: files(layout, 'captions', CAPTION_COLUMNS, record.dimensions),
  };

  async function* whole(): AsyncGenerator<Batch> {
    for await (const { rows, halves } of table.scanVectors(where))
      yield { keys: rows.map(({ key }) => key), rows, vectors: { vector: halves } };
  }
}

async function* keyed(
  batches: ReturnType<GenerationTables['images']['scanKeyedVectors']>,
): AsyncGenerator<Batch> {
  for await (const { keys, halves } of batches) yield { keys, rows: [], vectors: { vector: halves } };
}

/**
 * clip-retrieval's layout: row i of each part's three files is one picture with its first caption. A picture without one
 * has zeros for it, which are near to nothing. Without captions, or without pictures, that folder is left out.
 */
function pairs(tables: GenerationTables, { images: hasImages, captions: hasCaptions, where }: Wanted) {
  const { record, images: pictures, captions: texts } = tables;
  const columns = PAIR_COLUMNS.filter(
    ({ name }) => (hasImages || !OF_IMAGES.has(name)) && (hasCaptions || !OF_CAPTIONS.has(name)),
  );
  const { dimensions } = record;
  return {
    name: 'pairs',
    count: () => (hasImages ? pictures.count(where) : texts.count(where)),
    read: () => (hasImages ? ofImages() : ofCaptions()),
    files: [
      ...(hasImages ? [vectorFile('img_emb', 'image', dimensions)] : []),
      ...(hasCaptions ? [vectorFile('text_emb', 'text', dimensions)] : []),
      rowFile('parquet', 'metadata', columns, {}),
    ],
  };

  async function* ofImages(): AsyncGenerator<Batch> {
    for await (const { rows, halves } of ahead(gathered(pictures.scanVectors(where), LOOKED_UP))) {
      const keys = rows.map(({ key }) => key);
      const first = hasCaptions ? await texts.firstRowsOfImages(keys) : new Map();
      const text = new Uint16Array(hasCaptions ? halves.length : 0);
      const found = rows.map((image, i): PairRow => {
        const caption = first.get(image.key);
        if (caption) text.set(caption.halves, i * dimensions);
        return { image, caption: caption?.row ?? null };
      });
      yield { keys, rows: found, vectors: { image: halves, text } };
    }
  }

  async function* ofCaptions(): AsyncGenerator<Batch> {
    for await (const { rows, halves } of texts.scanVectors(where)) {
      const found = rows.map((caption): PairRow => ({ image: null, caption }));
      yield { keys: rows.map(({ key }) => key), rows: found, vectors: { text: halves } };
    }
  }
}

const OF_CAPTIONS: ReadonlySet<string> = new Set(
  PAIR_COLUMNS.flatMap(({ name }) => (name.startsWith('caption') ? [name] : [])),
);
const OF_IMAGES: ReadonlySet<string> = new Set(
  PAIR_COLUMNS.flatMap(({ name }) => (name.startsWith('caption') ? [] : [name])),
);

type RowLayout = Exclude<Layout, 'clip-retrieval'>;

function files(
  layout: RowLayout,
  name: string,
  columns: readonly Column[],
  dimensions: number,
): readonly FileKind[] {
  if (layout !== 'npy') return [rowFile(layout, name, columns, { vector: dimensions })];
  return [vectorFile(name, 'vector', dimensions), keyFile(`${name}_keys`)];
}

function rowFile(
  ending: 'parquet' | 'arrow' | 'jsonl',
  name: string,
  columns: readonly Column[],
  vectors: Readonly<Record<string, number>>,
): FileKind {
  const names = Object.keys(vectors);
  return {
    name,
    ending,
    create(path) {
      if (ending === 'arrow') return createArrowOutput(path, columns, vectors);
      return ending === 'jsonl'
        ? createJsonlOutput(path, columns, names)
        : createParquetOutput(path, columns, names);
    },
  };
}

function vectorFile(name: string, vector: string, dimensions: number): FileKind {
  const type = { descr: '<f2', row: [dimensions] };
  return {
    name,
    ending: 'npy',
    create: (path) => createNpy(path, type, ({ vectors }) => halfBytes(vectors[vector] as Uint16Array)),
  };
}

function keyFile(name: string): FileKind {
  const type = { descr: `|S${KEY_BYTES}`, row: [] };
  return {
    name,
    ending: 'npy',
    create: (path) => createNpy(path, type, ({ keys }) => Buffer.from(keys.join(''), 'latin1')),
  };
}

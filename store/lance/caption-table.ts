import type { Connection } from '@lancedb/lancedb';
import type { RecordBatch } from 'apache-arrow';
import { type ErrorCode, VlmoError } from '#errors.ts';
import type { CaptionRecord, CaptionTable, CaptionWithVector } from '#store/contract.ts';
import { pictureKey } from '#store/item-key.ts';
import { foldText, termsOfWord } from '#store/words.ts';
import { lookUpAtVersion, type Sized } from './at-version.ts';
import { captionRows } from './caption-rows.ts';
import { readAddress, readOptionalText, readText, readVector } from './column-readers.ts';
import { gather } from './gather.ts';
import { chunks } from './row-stream.ts';
import { sqlIn } from './sql.ts';
import { COPIED_COLUMNS, createTextCopy } from './text-copy.ts';
import { type OpenVectorTable, openVectorTable, type VectorTableSpec } from './vector-table.ts';

export async function openCaptionTable(
  connection: Connection,
  folder: string,
  { name, dimensions, added }: Pick<VectorTableSpec<CaptionRecord>, 'name' | 'dimensions' | 'added'>,
  create: boolean,
): Promise<CaptionTable & OpenVectorTable<CaptionRecord>> {
  const spec = {
    name,
    dimensions,
    format: captionRows,
    indexed: ['image_key'],
    added,
  } as const;
  const table = await openVectorTable(connection, folder, spec, create);
  const copy = createTextCopy(table.lance, `table "${name}" in "${folder}"`);

  /** What may not be written (a read-only disk, an older format that was opened to be read) is searched in a copy. */
  async function matches(terms: readonly string[]): Promise<AsyncIterable<RecordBatch>> {
    const isIndexed = await table.lance.makeTextIndex().then(
      () => true,
      (error: unknown) => {
        if (error instanceof VlmoError && CANNOT_BE_WRITTEN.has(error.code)) return false;
        throw error;
      },
    );
    return isIndexed ? table.lance.readMatches(terms, COPIED_COLUMNS) : copy.read(terms);
  }

  /** The captions of some pictures, with their addresses. */
  function ofImages(imageKeys: readonly string[], columns: readonly string[]): AsyncIterable<RecordBatch> {
    return table.lance.readAddressed({ columns, where: sqlIn(table.lance.sql('image_key'), imageKeys) });
  }

  const firstOfImages = gather(async (imageKeys: readonly string[]): Promise<Map<string, Sized<string>>> => {
    const first = new Map<string, { readonly id: string; readonly caption: string }>();
    for (const some of chunks(imageKeys)) {
      for await (const batch of ofImages(some, ['id', 'image_key', 'caption'])) {
        const caption = readText(batch, 'caption');
        eachOfImage(batch, (image, id, index) => {
          const known = first.get(image);
          if (known === undefined || id < known.id) first.set(image, { id, caption: caption(index) });
        });
      }
    }
    return new Map(
      Array.from(first, ([image, { caption }]) => [image, { value: caption, bytes: 2 * caption.length }]),
    );
  });

  return {
    ...table,
    lance: {
      ...table.lance,
      async close() {
        await copy[Symbol.asyncDispose]();
        await table.lance.close();
      },
    },
    firstOfImages: lookUpAtVersion(table.lance.version, firstOfImages),
    async firstRowsOfImages(imageKeys) {
      const found = new Map<string, CaptionWithVector>();
      for (const some of chunks(imageKeys)) {
        const first = new Map<string, { readonly id: string; readonly address: bigint }>();
        for await (const batch of ofImages(some, ['id', 'image_key'])) {
          const addresses = readAddress(batch);
          eachOfImage(batch, (image, id, index) => {
            const known = first.get(image);
            if (known === undefined || id < known.id)
              first.set(image, { id, address: addresses[index] as bigint });
          });
        }
        const taken = Array.from(first.values(), ({ address }) => address);
        const columns = [...captionRows.readColumns, 'vector'];
        for await (const batch of table.lance.take(taken, columns)) {
          const [row, halves] = [captionRows.reader(batch), readVector(batch, 'vector', dimensions)];
          for (let index = 0; index < batch.numRows; index++) {
            const caption = row(index);
            found.set(pictureKey(caption) ?? '', { row: caption, halves: halves(index) });
          }
        }
      }
      return found;
    },
    async *keysOfImages(imageKeys) {
      for (const some of chunks(imageKeys)) {
        const where = sqlIn(table.lance.sql('image_key'), some);
        for await (const batch of table.lance.read({ columns: ['key'], where })) {
          const key = readText(batch, 'key');
          for (let index = 0; index < batch.numRows; index++) yield key(index);
        }
      }
    },
    async *matching(word) {
      const { terms, runs } = termsOfWord(word);
      if (terms.length === 0) return;
      for await (const batch of await matches(terms)) {
        const caption = readText(batch, 'caption');
        const key = readText(batch, 'key');
        const imageSource = readOptionalText(batch, 'image_source');
        const imageId = readOptionalText(batch, 'image_id');
        for (let index = 0; index < batch.numRows; index++) {
          if (runs.length > 0 && !holdsAll(foldText(caption(index)), runs)) continue;
          yield { key: key(index), imageSource: imageSource(index), imageId: imageId(index) };
        }
      }
    },
  };
}

/** Key of the picture and id of each caption of a batch. */
function eachOfImage(batch: RecordBatch, tell: (imageKey: string, id: string, index: number) => void): void {
  const [id, imageKey] = [readText(batch, 'id'), readText(batch, 'image_key')];
  for (let index = 0; index < batch.numRows; index++) tell(imageKey(index), id(index), index);
}

const CANNOT_BE_WRITTEN: ReadonlySet<ErrorCode> = new Set([
  'STORE_WRITE_FAILED',
  'STORE_VERSION_UNSUPPORTED',
]);

function holdsAll(text: string, runs: readonly string[]): boolean {
  return runs.every((run) => text.includes(run));
}

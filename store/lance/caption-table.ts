import type { Connection } from '@lancedb/lancedb';
import type { CaptionRecord, CaptionTable } from '#store/contract.ts';
import { toWellFormed } from '#well-formed.ts';
import { captionRows } from './caption-rows.ts';
import { readOptionalText, readText } from './column-readers.ts';
import { chunks } from './row-stream.ts';
import { sqlIn } from './sql.ts';
import { type OpenVectorTable, openVectorTable } from './vector-table.ts';

export async function openCaptionTable(
  connection: Connection,
  folder: string,
  { name, dimensions }: { readonly name: string; readonly dimensions: number },
  create: boolean,
): Promise<CaptionTable & OpenVectorTable<CaptionRecord>> {
  const spec = { name, dimensions, format: captionRows, indexed: ['image_id'] };
  const table = await openVectorTable(connection, folder, spec, create);
  return {
    ...table,
    async firstOfImages(imageIds) {
      const first = new Map<string, { readonly id: string; readonly caption: string }>();
      for (const some of chunks(imageIds)) {
        const request = {
          columns: ['id', 'image_id', 'caption'],
          where: sqlIn('image_id', some.map(toWellFormed)),
        };
        for await (const batch of table.lance.read(request)) {
          const id = readText(batch, 'id');
          const imageId = readOptionalText(batch, 'image_id');
          const caption = readText(batch, 'caption');
          for (let index = 0; index < batch.numRows; index++) {
            const image = imageId(index) ?? '';
            const known = first.get(image);
            if (known === undefined || id(index) < known.id) {
              first.set(image, { id: id(index), caption: caption(index) });
            }
          }
        }
      }
      return new Map(Array.from(first, ([image, { caption }]) => [image, caption]));
    },
    async *matching(word) {
      for await (const batch of table.lance.readMatches('caption', word, ['id', 'image_id'])) {
        const id = readText(batch, 'id');
        const imageId = readOptionalText(batch, 'image_id');
        for (let index = 0; index < batch.numRows; index++) {
          yield { id: id(index), imageId: imageId(index) };
        }
      }
    },
  };
}

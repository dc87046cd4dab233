import type { CaptionRecord } from '#store/contract.ts';
import { pictureKey } from '#store/item-key.ts';
import { termsOf } from '#store/words.ts';
import { readOptionalText, readText, readTime } from './column-readers.ts';
import { jsonColumn, optionalTextColumn, textColumn, timeColumn } from './columns.ts';
import { META_FIELDS, metaFieldsJson, metaJson } from './meta-fields.ts';
import { WORDS_COLUMN } from './text-index.ts';
import type { RowFormat } from './vector-rows.ts';

/** Columns of `<generation>.captions`, the vector aside. */
export const captionRows: RowFormat<CaptionRecord> = {
  columns: [
    textColumn('key', (row) => row.key),
    textColumn('source', (row) => row.source),
    textColumn('id', (row) => row.id),
    textColumn('uri', (row) => row.uri),
    optionalTextColumn('image_source', (row) => row.imageSource),
    optionalTextColumn('image_id', (row) => row.imageId),
    optionalTextColumn('image_key', pictureKey),
    textColumn('caption', (row) => row.caption),
    optionalTextColumn(WORDS_COLUMN, (row) => termsOf(row.caption).join(' ')),
    textColumn('meta', (row) => metaJson(row.id, row.meta)),
    jsonColumn(META_FIELDS, (row) => metaFieldsJson(row.meta)),
    timeColumn('indexed_at', (row) => row.indexedAt),
    textColumn('run', (row) => row.run),
  ],
  readColumns: [
    'key',
    'source',
    'id',
    'uri',
    'image_source',
    'image_id',
    'caption',
    'meta',
    'indexed_at',
    'run',
  ],
  reader(batch) {
    const key = readText(batch, 'key');
    const source = readText(batch, 'source');
    const id = readText(batch, 'id');
    const uri = readText(batch, 'uri');
    const imageSource = readOptionalText(batch, 'image_source');
    const imageId = readOptionalText(batch, 'image_id');
    const caption = readText(batch, 'caption');
    const meta = readText(batch, 'meta');
    const indexedAt = readTime(batch, 'indexed_at');
    const run = readText(batch, 'run');
    return (index) => ({
      key: key(index),
      source: source(index),
      id: id(index),
      uri: uri(index),
      imageSource: imageSource(index),
      imageId: imageId(index),
      caption: caption(index),
      meta: JSON.parse(meta(index)) as CaptionRecord['meta'],
      indexedAt: indexedAt(index),
      run: run(index),
    });
  },
};

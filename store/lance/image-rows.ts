import type { ImageRecord } from '#store/contract.ts';
import { readNumber, readOptionalText, readText, readTime } from './column-readers.ts';
import {
  int32Column,
  int64Column,
  jsonColumn,
  optionalTextColumn,
  textColumn,
  timeColumn,
} from './columns.ts';
import { META_FIELDS, metaFieldsJson, metaJson } from './meta-fields.ts';
import type { RowFormat } from './vector-rows.ts';

/** Columns of `<generation>.images`, the vector aside. */
export const imageRows: RowFormat<ImageRecord> = {
  columns: [
    textColumn('key', (row) => row.key),
    textColumn('source', (row) => row.source),
    textColumn('id', (row) => row.id),
    textColumn('uri', (row) => row.uri),
    int32Column('width', (row) => row.width),
    int32Column('height', (row) => row.height),
    int64Column('bytes', (row) => row.bytes),
    textColumn('sha256', (row) => row.sha256),
    textColumn('format', (row) => row.format),
    textColumn('meta', (row) => metaJson(row.id, row.meta)),
    jsonColumn(META_FIELDS, (row) => metaFieldsJson(row.meta)),
    timeColumn('indexed_at', (row) => row.indexedAt),
    textColumn('run', (row) => row.run),
    optionalTextColumn('stamp', (row) => row.stamp),
    optionalTextColumn('described', (row) => row.described),
  ],
  readColumns: [
    'key',
    'source',
    'id',
    'uri',
    'width',
    'height',
    'bytes',
    'sha256',
    'format',
    'meta',
    'indexed_at',
    'run',
    'stamp',
    'described',
  ],
  reader(batch) {
    const key = readText(batch, 'key');
    const source = readText(batch, 'source');
    const id = readText(batch, 'id');
    const uri = readText(batch, 'uri');
    const width = readNumber(batch, 'width');
    const height = readNumber(batch, 'height');
    const bytes = readNumber(batch, 'bytes');
    const sha256 = readText(batch, 'sha256');
    const format = readText(batch, 'format');
    const meta = readText(batch, 'meta');
    const indexedAt = readTime(batch, 'indexed_at');
    const run = readText(batch, 'run');
    const stamp = readOptionalText(batch, 'stamp');
    const described = readOptionalText(batch, 'described');
    return (index) => ({
      key: key(index),
      source: source(index),
      id: id(index),
      uri: uri(index),
      width: width(index),
      height: height(index),
      bytes: bytes(index),
      sha256: sha256(index),
      format: format(index),
      meta: JSON.parse(meta(index)) as ImageRecord['meta'],
      indexedAt: indexedAt(index),
      run: run(index),
      stamp: stamp(index),
      described: described(index),
    });
  },
};

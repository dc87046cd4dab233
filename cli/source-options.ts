import type { Config } from '#config/options.ts';
import type { SourceOptions } from '#sources/item.ts';

/** How a source is to be read. */
export function toSourceOptions({
  imageColumn,
  idColumn,
  captionColumn: captionColumns,
  captionIdColumn,
}: Config<'imageColumn' | 'idColumn' | 'captionColumn' | 'captionIdColumn'>): SourceOptions {
  return { imageColumn, idColumn, captionColumns, captionIdColumn };
}

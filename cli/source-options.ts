import { resolve } from 'node:path';
import type { Config } from '#config/options.ts';
import type { SourceOptions } from '#sources/item.ts';

export type SourceConfig = Config<
  | 'imageColumn'
  | 'urlColumn'
  | 'idColumn'
  | 'captionColumn'
  | 'captionIdColumn'
  | 'format'
  | 'delimiter'
  | 'quote'
  | 'plainQuotes'
  | 'imageFolder'
  | 'split'
  | 'captionLines'
  | 'include'
  | 'exclude'
>;

/** How a source is to be read. What nobody said is left out, so that it does not tell two submissions apart. */
export function toSourceOptions(config: SourceConfig): SourceOptions {
  const {
    urlColumn,
    imageColumn = urlColumn,
    idColumn,
    captionColumn: captionColumns,
    captionIdColumn,
    imageFolder,
    split: splits,
  } = config;
  const { format, delimiter, quote, plainQuotes, captionLines, include, exclude } = config;
  return {
    ...{ imageColumn, idColumn, captionColumns, captionIdColumn, format, include, exclude },
    ...{ imageFolder: imageFolder === undefined ? undefined : resolve(imageFolder), splits },
    delimiter: delimiter !== undefined && /^(tab|\\t)$/i.test(delimiter) ? '\t' : delimiter,
    quote: quote ? true : plainQuotes ? false : undefined,
    captionLines: captionLines || undefined,
  };
}

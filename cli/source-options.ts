import type { Command } from 'commander';
import type { SourceOptions } from '#sources/item.ts';
import { collect } from './parse-arguments.ts';

export interface SourceFlags {
  readonly imageColumn?: string;
  readonly idColumn?: string;
  readonly captionColumn?: readonly string[];
  readonly captionIdColumn?: string;
}

/** Adds the flags that say how to read a source. */
export function addSourceOptions(command: Command): Command {
  return command
    .option('--image-column <name>', 'column of a manifest with the picture')
    .option('--id-column <name>', 'column of a manifest with the id of the picture')
    .option(
      '--caption-column <name>',
      'column of a manifest with a caption; may be given several times',
      collect,
    )
    .option('--caption-id-column <name>', 'column of a manifest with the id of the caption');
}

export function toSourceOptions(flags: SourceFlags): SourceOptions {
  const { imageColumn, idColumn, captionColumn: captionColumns, captionIdColumn } = flags;
  return { imageColumn, idColumn, captionColumns, captionIdColumn };
}

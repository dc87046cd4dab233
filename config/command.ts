import type { OptionName } from './options.ts';

/** A command: what it does, what it takes. */
export interface CommandSpec {
  readonly sentence: string;
  /** Arguments as commander reads them (`<source>`, `[text]`), each with its sentence. */
  readonly arguments?: readonly (readonly [name: string, sentence: string])[];
  readonly options: Readonly<Partial<Record<OptionName, Use>>>;
}

/** What an option is in one command, where that differs from the table. */
export interface Use {
  readonly isRequired?: true;
  readonly default?: unknown;
  readonly sentence?: string;
  readonly flag?: string;
}

/** Options that are in a command what they are in the table. */
export function plain<Name extends OptionName>(...names: readonly Name[]): Readonly<Record<Name, object>> {
  return Object.fromEntries(names.map((name) => [name, {}])) as Record<Name, object>;
}

export const THE_INDEX = { isRequired: true } as const;
export const NEW_INDEX = { isRequired: true, sentence: 'The index; made if it is not there' } as const;
export const SOURCE =
  'a folder, a table (.csv, .tsv, .jsonl, .ndjson, .json, .parquet), a list of URLs, or a tar or several ({000..127}.tar, a.tar::b.tar)';
/** How a source is read. */
export const READING = plain(
  'imageColumn',
  'urlColumn',
  'idColumn',
  'captionColumn',
  'captionIdColumn',
  'format',
  'delimiter',
  'quote',
  'plainQuotes',
  'imageFolder',
  'split',
  'captionLines',
  'include',
  'exclude',
);
export const POOLS = plain('batchSize', 'decodeThreads', 'inferenceWorkers');
/** How pictures are downloaded. */
export const FETCHING = plain(
  'fetchAllows',
  'fetchOnlyAllowed',
  'fetchConcurrency',
  'fetchPerHost',
  'fetchTimeout',
  'fetchRetries',
  'fetchMemory',
  'ignoreRobots',
);
/** What reads hits again. */
export const RERANKER = plain('reranker', 'rerankerMemory', 'rerankerCache');
export const PICTURE_LIMITS = plain('maxPixels', 'maxImageBytes', 'decodeTimeout', 'decodeMemory');

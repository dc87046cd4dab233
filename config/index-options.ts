import { choice, either, type OptionSpec, present, text, texts } from './option.ts';

/** Which index, which part of it, and what is read into it. */
export const INDEX_OPTIONS = {
  index: {
    flag: '--index <folder>',
    type: text,
    sentence: 'The index',
  },
  newId: {
    flag: '--new-id',
    type: present,
    default: false,
    sentence:
      'Give a copy of an index an id of its own, and so a queue of its own; its workers must be stopped',
  },
  renewTables: {
    flag: '--renew-tables',
    type: present,
    default: false,
    sentence:
      'Make tables of runs and failures that are gone or damaged anew, empty; pictures and captions stay as they are',
  },
  collection: {
    flag: '--collection <name>',
    type: text,
    default: 'default',
    sentence: 'The collection',
  },
  model: {
    flag: '--model <folder>',
    type: text,
    sentence: 'A model folder, or "demo"; left out, the one the collection was indexed with',
  },
  json: {
    flag: '--json',
    type: present,
    default: false,
    sentence: 'Print JSON',
  },
  source: {
    flag: '--source <name>',
    type: text,
    sentence: 'Name of the source; left out, its absolute place',
  },
  sourceMoved: {
    flag: '--source-moved',
    type: present,
    default: false,
    sentence: 'The source of this name lies here now: what is stored of it keeps its vectors',
  },
  imagesOf: {
    flag: '--images-of <name>',
    type: text,
    sentence: 'Name of the source of the pictures that captions name by their ids alone',
  },
  imageColumn: {
    flag: '--image-column <name>',
    type: text,
    sentence: 'Column of a manifest with the picture',
  },
  urlColumn: {
    flag: '--url-column <name>',
    type: text,
    sentence: 'Column of a manifest with the URL of the picture; another name of --image-column',
  },
  idColumn: {
    flag: '--id-column <name>',
    type: text,
    sentence: 'Column of a manifest with the id of the picture',
  },
  captionColumn: {
    flag: '--caption-column <name>',
    type: texts,
    sentence: 'Column of a manifest with a caption; may be given several times',
  },
  captionIdColumn: {
    flag: '--caption-id-column <name>',
    type: text,
    sentence: 'Column of a manifest with the id of the caption',
  },
  format: {
    flag: '--format <format>',
    type: choice('csv', 'tsv', 'jsonl', 'json', 'parquet', 'arrow'),
    sentence: 'How a table is written, whatever its name ends with',
  },
  delimiter: {
    flag: '--delimiter <character>',
    type: text,
    sentence:
      'What divides the cells of a table, one character or "tab"; left out, the one by which its first line has a known column',
  },
  quote: {
    flag: '--quote',
    type: present,
    default: false,
    sentence: 'Cells of a table may stand in quotes also where tabs divide them',
  },
  plainQuotes: {
    flag: '--plain-quotes',
    type: present,
    default: false,
    sentence: 'Quotes in a table are text also where commas divide its cells',
  },
  imageFolder: {
    flag: '--image-folder <folder>',
    type: text,
    sentence: 'Folder where the paths of the pictures in a table start; left out, that of the table',
  },
  split: {
    flag: '--split <name>',
    type: texts,
    sentence: 'Read only rows of a table whose column "split" has this value; may be given several times',
  },
  captionLines: {
    flag: '--caption-lines',
    type: present,
    default: false,
    sentence: 'Each line of a text file beside a picture is a caption; left out, the whole file is one',
  },
  include: {
    flag: '--include <glob>',
    type: texts,
    sentence:
      'Read only what matches of a folder, hidden files too where a pattern names them; may be given several times',
  },
  exclude: {
    flag: '--exclude <glob>',
    type: texts,
    sentence: 'Leave out what matches of a folder; may be given several times',
  },
  retryFailed: {
    flag: '--retry-failed',
    type: present,
    default: false,
    sentence: 'Try again what is listed as failed',
  },
  verify: {
    flag: '--verify',
    type: present,
    default: false,
    sentence:
      'Read all files, also those whose size and times are what they were when they were read last; embed again what earlier versions read wrongly',
  },
  prune: {
    flag: '--prune [how]',
    type: either(choice('all'), present),
    default: false,
    sentence:
      'Take out what the source no longer lists, unless that is more than half of it; "all": also then',
  },
  all: {
    flag: '--all',
    type: present,
    default: false,
    sentence: 'All that the collection has',
  },
  dryRun: {
    flag: '--dry-run',
    type: present,
    default: false,
    sentence: 'Only count what would go',
  },
  ann: {
    flag: '--ann',
    type: present,
    default: false,
    sentence: 'Build an approximate index of the vectors, anew where there is one',
  },
  dropAnn: {
    flag: '--drop-ann',
    type: present,
    default: false,
    sentence: 'Remove the approximate index',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

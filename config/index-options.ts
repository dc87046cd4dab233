import { type OptionSpec, present, text, texts } from './option.ts';

/** Which index, which part of it, and what is read into it. */
export const INDEX_OPTIONS = {
  index: {
    flag: '--index <folder>',
    type: text,
    sentence: 'The index',
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
  imageColumn: {
    flag: '--image-column <name>',
    type: text,
    sentence: 'Column of a manifest with the picture',
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
  retryFailed: {
    flag: '--retry-failed',
    type: present,
    default: false,
    sentence: 'Try again what is listed as failed',
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

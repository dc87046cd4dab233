import { choice, decimal, type OptionSpec, present, text, wholeNumber } from './option.ts';

/** What to look for, and which hits in which order. */
export const SEARCH_OPTIONS = {
  image: {
    flag: '--image <file>',
    type: text,
    sentence: 'Look for what is like this picture, and the text where there is one',
  },
  imageWeight: {
    flag: '--image-weight <weight>',
    type: decimal(),
    sentence: 'How much the picture counts beside the text',
  },
  key: {
    flag: '--key <key>',
    type: text,
    sentence: 'Look for what is like the item that the index knows by this key',
  },
  id: {
    flag: '--id <id>',
    type: text,
    sentence: 'Look for what is like the item stored under this id',
  },
  in: {
    flag: '--in <kind>',
    type: choice('images', 'captions'),
    sentence: 'What to find',
  },
  k: {
    flag: '-k <hits>',
    type: wholeNumber(1),
    default: 10,
    sentence: 'How many hits at most',
  },
  where: {
    flag: '--where <filter>',
    type: text,
    sentence: 'Only items that match, e.g. "width >= 640 and meta.year = 2020"',
  },
  minScore: {
    flag: '--min-score <cosine>',
    type: decimal(),
    sentence: 'Only hits of at least this cosine',
  },
  rerank: {
    flag: '--rerank <hits>',
    type: wholeNumber(1),
    sentence:
      'Read so many of the best again together with the query, by the fusion encoder or by --reranker',
  },
  minMatch: {
    flag: '--min-match <probability>',
    type: decimal(0, 1),
    sentence: 'With --rerank, only hits of at least this match',
  },
  groupBy: {
    flag: '--group-by <column>',
    type: choice('image_id'),
    sentence: 'The best hit of each picture only',
  },
  hybrid: {
    flag: '--hybrid',
    type: present,
    default: false,
    sentence: 'Lift what has captions with the words of the text',
  },
  keywords: {
    flag: '--keywords <words>',
    type: text,
    sentence: 'Lift what has captions with these words',
  },
  meta: {
    flag: '--meta',
    type: present,
    default: false,
    sentence: 'Show the other columns of each hit in the table too; --json always has them',
  },
  approximate: {
    flag: '--approximate',
    type: present,
    default: false,
    sentence: 'By the index of the vectors, which may miss some',
  },
  cursor: {
    flag: '--cursor <cursor>',
    type: text,
    sentence: 'The page behind an earlier one of the same search',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

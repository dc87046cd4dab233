import { choice, decimal, type OptionSpec, present, text, texts, wholeNumber } from './option.ts';

/** What goes into files and comes out of them: queries by the thousand, plots, models. */
export const FILE_OPTIONS = {
  images: {
    flag: '--image <files...>',
    type: texts,
    sentence: 'Pictures',
  },
  texts: {
    flag: '--text <texts...>',
    type: texts,
    sentence: 'Texts',
  },
  pairs: {
    flag: '--pairs',
    type: present,
    default: false,
    sentence: 'Score each picture with its own captions instead',
  },
  queries: {
    flag: '--queries <what>',
    type: text,
    sentence:
      '"captions" or "images" for what the collection stores, or a file: .txt with a query a line, .jsonl, .csv or .tsv',
  },
  threshold: {
    flag: '--threshold <cosine>',
    type: decimal(),
    sentence: 'With --pairs, the least cosine of the pairs marked as kept',
  },
  out: {
    flag: '--out <file>',
    type: text,
    sentence: 'The Parquet file to write',
  },
  to: {
    flag: '--to <layout>',
    type: choice('clip-retrieval', 'parquet', 'arrow', 'jsonl', 'npy'),
    sentence: 'The layout of the files',
  },
  generation: {
    flag: '--generation <name>',
    type: text,
    sentence: 'A generation of the collection, in place of the one that serves',
  },
  partRows: {
    flag: '--part-rows <rows>',
    type: wholeNumber(1, 1_000_000),
    default: 100_000,
    sentence: 'Rows of a file at most',
  },
  failures: {
    flag: '--failures',
    type: present,
    default: false,
    sentence: "What could not be stored too, in img2dataset's columns",
  },
  measure: {
    flag: '--measure',
    type: present,
    default: false,
    sentence: 'Compare approximate with exact search: recall and latency, as a table and a plot',
  },
  sample: {
    flag: '--sample <count>',
    type: wholeNumber(1),
    default: 200,
    sentence: 'With --measure, how many stored items are queries',
  },
  seed: {
    flag: '--seed <number>',
    type: wholeNumber(1),
    default: 1,
    sentence: 'With --measure, which ones: the same for the same number',
  },
  calibrate: {
    flag: '--calibrate',
    type: present,
    default: false,
    sentence:
      'Fit what makes a probability of a match to pairs of the collection, and keep it in the index; in place of measuring recall',
  },
  partial: {
    flag: '--partial',
    type: present,
    default: false,
    sentence: 'Also where pictures or captions are missing; without it, that is an error that names them',
  },
  plot: {
    flag: '--plot <file>',
    type: text,
    defaultWords: 'recall.svg',
    sentence: 'With --measure, where the plot goes, .svg or .png',
  },
  vocab: {
    flag: '--vocab <file>',
    type: text,
    sentence: "BERT's vocab.txt, for a VLMo",
  },
  spm: {
    flag: '--spm <file>',
    type: text,
    sentence: "SentencePiece's beit3.spm, for a BEiT-3",
  },
  imageSize: {
    flag: '--image-size <pixels>',
    type: wholeNumber(1),
    sentence: 'Another picture size than the checkpoint was made for',
  },
  heads: {
    flag: '--heads <heads>',
    type: wholeNumber(1),
    sentence: 'Attention heads, where the checkpoint does not tell; of a BEiT-3, where they are not 64 wide',
  },
  dtype: {
    flag: '--dtype <dtype>',
    type: choice('f32', 'f16'),
    default: 'f32',
    sentence: 'How weights are stored',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>;

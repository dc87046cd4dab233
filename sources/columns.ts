import type { SourceOptions } from './item.ts';
import { quote, quoteAll } from './quote.ts';

/** Which columns to take: those named must be there, others are guessed from the usual names, first match first. */
export interface ColumnRules {
  readonly named: SourceOptions;
  readonly guesses: {
    readonly image: readonly string[];
    readonly caption: readonly string[];
    /** Of the picture's id, whatever else the row is about. */
    readonly imageId: readonly string[];
    /** Of the id of what the row is about: the caption beside a picture's id, else the picture. */
    readonly id: readonly string[];
    readonly captionId: readonly string[];
  };
  /** Every guess for captions that is there counts, not only the first. */
  readonly allCaptions: boolean;
  /** A row without a picture is of no use. */
  readonly needsImage: boolean;
}

/** What each column of a table is for, as indexes into the list of its names. */
export interface Columns {
  readonly image: number | undefined;
  /** The folder of the picture, where that is a column of its own. */
  readonly folder?: number;
  /** The picture's id. */
  readonly imageId: number | undefined;
  /** Where no column is the picture's id alone: the picture's, or that of a caption without one. */
  readonly id: number | undefined;
  readonly captionId: number | undefined;
  readonly captions: readonly number[];
  readonly meta: readonly number[];
}

/** The column with which data sets divide their rows; it stays in `meta`. */
export const SPLIT_COLUMN = 'split';

/** The rules of a manifest. */
export function manifestRules(named: SourceOptions): ColumnRules {
  const guesses = {
    image: [
      'image',
      'file_name',
      'filename',
      'file',
      'path',
      'image_path',
      'filepath',
      'file_path',
      'uri',
      'url',
      'image_url',
      'img_url',
      'image_name',
    ],
    caption: ['caption', 'captions', 'text', 'title', 'description', 'sentence', 'sentences', 'comment'],
    imageId: ['image_id'],
    id: ['id', 'key', 'uid'],
    captionId: ['caption_id', 'sentid', 'comment_number', 'ann_id'],
  };
  return { named, guesses, allCaptions: false, needsImage: false };
}

/** The rules of a `metadata` file in a folder of pictures; the pictures are named by their paths there. */
export function metadataRules(options: SourceOptions): ColumnRules {
  const named = { captionColumns: options.captionColumns, captionIdColumn: options.captionIdColumn };
  const guesses = {
    image: ['file_name'],
    caption: ['caption', 'captions', 'text'],
    imageId: [],
    id: [],
    captionId: [],
  };
  return { named, guesses, allCaptions: true, needsImage: true };
}

/** Sorts the columns; returns `expected …, received …` if one is missing. */
export function resolveColumns(names: readonly string[], rules: ColumnRules): Columns | string {
  const { named, guesses } = rules;
  const captionNames = named.captionColumns ?? [];
  const split = named.splits === undefined ? undefined : SPLIT_COLUMN;
  const asked = [named.imageColumn, named.idColumn, named.captionIdColumn, split, ...captionNames];
  const absent = asked.filter((name) => name !== undefined).filter((name) => !names.includes(name));
  if (absent.length > 0) return `expected ${columnList(absent)}, received ${columnList(names)}`;

  // A column that was named for one purpose is not guessed for another.
  const lower = names.map((name) => (asked.includes(name) ? undefined : name.toLowerCase()));
  const find = (name: string | undefined, usual: readonly string[]) =>
    name === undefined ? indexesOf(lower, usual).at(0) : names.indexOf(name);
  const image = find(named.imageColumn, guesses.image);
  // Karpathy's splits: `filepath` is the folder of `filename`.
  const isSplit = named.imageColumn === undefined && image !== undefined && lower[image] === 'filename';
  const folder = isSplit ? indexesOf(lower, ['filepath']).at(0) : undefined;
  const guessed = indexesOf(lower, guesses.caption);
  const captions =
    captionNames.length > 0
      ? [...new Set(captionNames)].map((name) => names.indexOf(name))
      : guessed.slice(0, rules.allCaptions ? guessed.length : 1);
  if (image === undefined && (rules.needsImage || captions.length === 0)) {
    const wanted = [...guesses.image, ...(rules.needsImage ? [] : guesses.caption)].map(quote).join(', ');
    return `expected one of the columns ${wanted}, received ${columnList(names)}`;
  }
  const imageId = find(named.idColumn, guesses.imageId);
  const own = indexesOf(lower, guesses.id).at(0);
  // Beside a picture's id, the other one is the caption's, as COCO has it.
  const id = imageId === undefined ? own : undefined;
  const captionId =
    find(named.captionIdColumn, guesses.captionId) ?? (imageId === undefined ? undefined : own);
  const used = new Set([image, folder, imageId, id, captionId, ...captions]);
  return {
    image,
    ...(folder !== undefined && { folder }),
    imageId,
    id,
    captionId,
    captions,
    meta: [...names.keys()].filter((index) => !used.has(index)),
  };
}

/** The path of a row's picture, its folder put before it where that is a column; `at` gives the row's value of a column. */
export function imageOf({ image, folder }: Columns, at: (column: number | undefined) => unknown): unknown {
  const [name, before] = [at(image), at(folder)];
  if (typeof name !== 'string' || typeof before !== 'string' || before.trim() === '') return name;
  // Others write the whole path there.
  return before === name || before.endsWith(`/${name}`) ? before : `${before.replace(/\/+$/, '')}/${name}`;
}

/** Where the usual names are, in the order of preference. */
function indexesOf(names: readonly (string | undefined)[], usual: readonly string[]): readonly number[] {
  return usual.map((name) => names.indexOf(name)).filter((index) => index !== -1);
}

function columnList(names: readonly string[]): string {
  if (names.length === 0) return 'no column';
  return `${names.length === 1 ? 'the column' : 'the columns'} ${quoteAll(names)}`;
}

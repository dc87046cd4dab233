import { Index, MatchQuery, Operator, type Query, type Table } from '@lancedb/lancedb';

/** The column of terms (`termsOf`), divided by spaces, that the full-text index is made of. */
export const WORDS_COLUMN = 'words';

/** Makes the full-text index of terms where there is none. Rows written later are found without it being redone. */
export async function ensureTextIndex(table: Table): Promise<void> {
  if (await hasTextIndex(table)) return;
  // Without an index Lance looks through all rows too, but takes words apart in another way ("dogs" is not "dog").
  await table.createIndex(WORDS_COLUMN, { config: Index.fts(TERMS) });
}

export async function hasTextIndex(table: Table): Promise<boolean> {
  const indices = await table.listIndices();
  return indices.some(({ indexType, columns }) => indexType === 'FTS' && columns.includes(WORDS_COLUMN));
}

/** Terms are folded already, so that stems are those of bare letters; "the" and its like are left out. */
const TERMS = {
  baseTokenizer: 'whitespace',
  language: 'English',
  lowercase: false,
  stem: true,
  removeStopWords: true,
  asciiFolding: false,
  withPosition: false,
  // In bytes; `termsOf` bounds the characters.
  maxTokenLength: 2048,
} as const;

/**
 * All rows that hold these terms: those the index knows and, read one by one, those it does not. Lance's score (BM25)
 * is of no use beyond one query: it is another one after every commit, every update of the index and for every filter.
 */
export function textMatches(table: Table, terms: readonly string[]): Query {
  const query = new MatchQuery(terms.join(' '), WORDS_COLUMN, { operator: Operator.And });
  return table.query().fullTextSearch(query).limit(ALL_ROWS);
}

/** Without a limit Lance gives the best ten. */
const ALL_ROWS = 2 ** 31 - 1;

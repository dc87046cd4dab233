import { Index, MatchQuery, Operator, type Query, type Table } from '@lancedb/lancedb';

/** Makes the full-text index of a column where there is none. Rows written later are found without it being redone. */
export async function ensureTextIndex(table: Table, column: string): Promise<void> {
  const indices = await table.listIndices();
  if (indices.some(({ indexType, columns }) => indexType === 'FTS' && columns.includes(column))) return;
  // Without an index Lance looks through all rows too, but takes words apart in another way ("dogs" is not "dog").
  await table.createIndex(column, { config: Index.fts(WORDS) });
}

/** Words are runs of letters and digits, without case, accents and English endings; "the" and its like are left out. */
const WORDS = {
  baseTokenizer: 'simple',
  language: 'English',
  lowercase: true,
  stem: true,
  removeStopWords: true,
  asciiFolding: true,
  withPosition: false,
} as const;

/**
 * All rows whose text holds a word: those the index knows and, read one by one, those it does not. Lance's score (BM25)
 * is of no use beyond one query: it is another one after every commit, every update of the index and for every filter.
 */
export function textMatches(table: Table, column: string, word: string): Query {
  const query = new MatchQuery(word, column, { operator: Operator.And });
  return table.query().fullTextSearch(query).limit(ALL_ROWS);
}

/** Without a limit Lance gives the best ten. */
const ALL_ROWS = 2 ** 31 - 1;

/**
 * When a table should be optimised in the middle of its writes: each commit leaves a fragment and a version, and
 * each upsert looks into every fragment that is not indexed yet, so without this the cost of an upsert grows with
 * the number of upserts. Compaction rewrites up to a million rows, so it waits until that pays.
 */
export interface Tidying {
  /** Notes one commit; true when the table should be optimised now. */
  isDueAfter(rows: number): boolean;
  /** Notes that it was, with the rows the table has. */
  done(rowsInTable: number): void;
}

export function createTidying(): Tidying {
  let commits = 0;
  let written = 0;
  let rowsBefore = 0;
  return {
    isDueAfter(rows) {
      commits += 1;
      written += rows;
      if (commits >= MAX_COMMITS) return true;
      return commits >= MIN_COMMITS && written * 8 >= Math.min(rowsBefore, FULL_FRAGMENT_ROWS);
    },
    done(rowsInTable) {
      commits = 0;
      written = 0;
      rowsBefore = rowsInTable;
    },
  };
}

const MIN_COMMITS = 64;
const MAX_COMMITS = 512;
/** Lance's own target: fragments of this many rows are not rewritten any more. */
const FULL_FRAGMENT_ROWS = 1_048_576;

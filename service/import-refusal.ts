import type { SeenKeys } from '#exports/seen-keys.ts';
import type { Checked } from '#exports/unit-length.ts';
import type { RunContext } from '#pipeline/run-context.ts';
import { MAX_NAME } from '#queue/job.ts';
import { textSchema } from '#search/request.ts';
import type { CaptionRecord, FailureRecord, ImageRecord } from '#store/contract.ts';
import { itemKey } from '#store/item-key.ts';

/** An item of a row, its vector, and what was found wrong with it. */
export interface Candidate<Row> {
  readonly row: Row;
  readonly vector: Float32Array;
  readonly checked: Checked;
  /** Part and place of the row. */
  readonly place: string;
}

/** Why an item is not stored. */
export function refusalOf(
  { row, checked, place }: Candidate<ImageRecord | CaptionRecord>,
  kind: 'image' | 'caption',
  seen: SeenKeys,
): Refusal | undefined {
  const isRow = { id: `${place} ${kind}`, code: 'SOURCE_ROW_INVALID', isItem: false } as const;
  const excess = excessOf(row);
  if (excess !== undefined) return { ...isRow, message: `Cannot import row ${place}: expected ${excess}` };
  if (!seen.add(row.key)) {
    const received = `received "${row.id}", which a row before it has`;
    return { ...isRow, message: `Cannot import row ${place}: expected an id of its own, ${received}` };
  }
  if (checked !== 'not finite' && checked !== 'all 0') return undefined;
  const received = checked === 'all 0' ? 'one that is all 0' : 'NaN or infinity';
  const message = `Cannot import "${row.id}" (row ${place}): expected a vector of finite numbers that are not all 0, received ${received}`;
  return { id: row.id, code: 'VECTOR_INVALID', isItem: true, message };
}

interface Refusal {
  /** What it is listed by. */
  readonly id: string;
  readonly code: FailureRecord['code'];
  readonly message: string;
  /** Whether that is the item itself, or the row that has none. */
  readonly isItem: boolean;
}

interface Listing {
  readonly collection: string;
  readonly kind: 'image' | 'caption';
  readonly row: ImageRecord | CaptionRecord;
  readonly attempts: number;
  readonly runContext: RunContext;
}

export function toFailure(
  { id, code, message, isItem }: Refusal,
  { collection, kind, row, attempts, runContext }: Listing,
): FailureRecord {
  const { run, runNumber } = runContext;
  const listed = isItem ? kind : 'broken';
  return {
    ...{ collection, source: row.source, id, uri: row.uri.slice(0, MAX_NAME), code, message },
    ...{ kind: listed, key: itemKey(row.source, listed, id), attempts, retriable: false },
    ...{ sha256: null, stamp: null, item: null, failedAt: new Date(), run, runNumber },
  };
}

/** What of a row is longer than an index takes from any source. */
function excessOf(row: ImageRecord | CaptionRecord): string | undefined {
  for (const name of ['id', 'uri', 'source'] as const)
    if (row[name].length > MAX_NAME)
      return `${name} of at most ${MAX_NAME} characters, received ${row[name].length}`;
  if (!('caption' in row) || textSchema.safeParse(row.caption).success) return undefined;
  return `a caption of at most 65,536 characters, received ${row.caption.length}`;
}

import type { Backend } from './backend.ts';
import type { GrowingRows } from './growing-rows.ts';
import type { IdList } from './id-list.ts';
import type { RowPositions } from './row-positions.ts';

/** A segment on its device. */
export interface Segment {
  readonly number: number;
  readonly backend: Backend;
  /** float16 bits [rows, D], in memory that threads share. */
  readonly halves: Uint16Array;
  readonly ids: IdList;
  readonly addresses: BigUint64Array;
  readonly rows: number;
  /** Position of its first row. */
  readonly first: number;
}

/** Which rows of the corpus may be found. */
export interface RowMask {
  readonly parts: readonly {
    readonly segment: Segment;
    readonly count: number;
    /** 1 for rows that are not to be found [rows]; null where every row may be. */
    readonly hidden: Uint8Array | null;
  }[];
  /** Addresses in the tail; undefined for all of it. */
  readonly tail: readonly bigint[] | undefined;
}

/** Where the rows of a corpus are. */
export interface Places {
  /** In the order of their positions. */
  readonly segments: readonly Segment[];
  readonly book: RowPositions;
  readonly tail: GrowingRows;
}

/** What of a corpus lies at these addresses; undefined where one of them is not in it. */
export function maskOf({ segments, book, tail }: Places, addresses: BigUint64Array): RowMask | undefined {
  const masks = segments.map((segment) => ({ segment, hidden: allHidden(segment.rows), count: 0 }));
  const inTail = book.visit(addresses, (position) => {
    const mask = masks[segmentAt(segments, position)];
    if (!mask) throw new Error(`No segment has position ${position}: this is a bug`);
    mask.hidden[position - mask.segment.first] = 0;
    mask.count += 1;
  });
  if (!inTail.every((address) => tail.has(address))) return undefined;
  const parts = masks
    .filter(({ count }) => count > 0)
    .map(({ segment, hidden, count }) => ({
      ...{ segment, count },
      hidden: count === segment.rows ? null : hidden,
    }));
  return { parts, tail: [...inTail] };
}

function segmentAt(segments: readonly Segment[], position: number): number {
  let [low, high] = [0, segments.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((segments[middle] as Segment).first <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** In shared memory, so that no query copies it to its backend. */
function allHidden(rows: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(rows)).fill(1);
}

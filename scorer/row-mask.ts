import type { Backend } from './backend.ts';
import { HIDDEN } from './blocks.ts';
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
  readonly rows: number;
  /** Position of its first row. */
  readonly first: number;
}

/** Which rows of the corpus may be found. */
export interface RowMask {
  readonly parts: readonly {
    readonly segment: Segment;
    readonly count: number;
    /** Added to the scores; null where every row may be found. */
    readonly bias: Float32Array | null;
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
  const masks = segments.map((segment) => ({ segment, shown: new Uint8Array(segment.rows), count: 0 }));
  const inTail = book.visit(addresses, (position) => {
    const mask = masks[segmentAt(segments, position)];
    if (!mask) throw new Error(`No segment has position ${position}: this is a bug`);
    mask.shown[position - mask.segment.first] = 1;
    mask.count += 1;
  });
  if (!inTail.every((address) => tail.has(address))) return undefined;
  const parts = masks
    .filter(({ count }) => count > 0)
    .map(({ segment, shown, count }) => ({
      ...{ segment, count },
      bias: count === segment.rows ? null : toBias(shown),
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
function toBias(shown: Uint8Array): Float32Array {
  const bias = new Float32Array(new SharedArrayBuffer(4 * shown.length));
  for (let row = 0; row < shown.length; row++) bias[row] = shown[row] === 1 ? 0 : HIDDEN;
  return bias;
}

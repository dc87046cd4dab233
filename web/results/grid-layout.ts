import justifiedLayout from 'justified-layout';
import type { Hit } from '../api.ts';

export interface Tile {
  readonly hit: Hit;
  /** Place among all hits, from 0. */
  readonly at: number;
  readonly left: number;
  readonly width: number;
}

export interface Row {
  readonly tiles: readonly Tile[];
  /** Pixels of its pictures, without what stands below them. */
  readonly height: number;
  /** Stands above it where nothing below is likely to fit. */
  readonly isCut: boolean;
}

/** Pixels below a picture, for its caption and score. */
export const CAPTION_HEIGHT = 48;
export const GAP = 12;
export const CUT_HEIGHT = 44;
/** Of what the fusion encoder gives less than this, it says that it does not fit. */
const FITS = 0.5;
/** Wider or narrower pictures are cropped: a line of text in a row is no picture any more. */
const [NARROWEST, WIDEST] = [0.5, 2.6];

/**
 * Rows of one width, from the sides that the index knows; where it knows none (captions), pictures are square. While more
 * hits may come, the last row waits until it is full, so that nothing that was shown moves.
 */
export function layOut(hits: readonly Hit[], width: number, isWhole: boolean): Row[] {
  const cut = hits.findIndex(({ match }) => match !== null && match < FITS);
  if (cut <= 0) return rowsOf(hits, 0, width, isWhole, cut === 0);
  return [
    ...rowsOf(hits.slice(0, cut), 0, width, true, false),
    ...rowsOf(hits.slice(cut), cut, width, isWhole, true),
  ];
}

function rowsOf(hits: readonly Hit[], from: number, width: number, isWhole: boolean, isCut: boolean): Row[] {
  const { boxes } = justifiedLayout(hits.map(aspectOf), {
    containerWidth: width,
    containerPadding: 0,
    boxSpacing: { horizontal: GAP, vertical: GAP },
    targetRowHeight: width < 600 ? 150 : 220,
    showWidows: isWhole,
  });
  const rows = new Map<number, Row & { tiles: Tile[] }>();
  for (const [i, box] of boxes.entries()) {
    const hit = hits[i];
    if (!hit) continue;
    const row = rows.get(box.top) ?? { tiles: [], height: box.height, isCut: isCut && rows.size === 0 };
    row.tiles.push({ hit, at: from + i, left: box.left, width: box.width });
    rows.set(box.top, row);
  }
  return [...rows.values()];
}

function aspectOf({ width, height }: Hit): number {
  return width && height ? Math.min(WIDEST, Math.max(NARROWEST, width / height)) : 1;
}

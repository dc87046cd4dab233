import type { Row, Tile } from './grid-layout.ts';

/** Where an arrow key leads in the grid: to the neighbour, or to what lies nearest in the next row. */
export function nextAt(rows: readonly Row[], at: number, key: string): number | undefined {
  const all = rows.flatMap(({ tiles }) => tiles);
  if (key === 'ArrowRight') return all[at + 1]?.at;
  if (key === 'ArrowLeft') return all[at - 1]?.at;
  if (key === 'Home') return all[0]?.at;
  if (key === 'End') return all.at(-1)?.at;
  if (key !== 'ArrowDown' && key !== 'ArrowUp') return undefined;
  const row = rows.findIndex(({ tiles }) => tiles.some((tile) => tile.at === at));
  const from = all[at];
  const next = rows[row + (key === 'ArrowDown' ? 1 : -1)];
  if (!from || !next) return undefined;
  const middle = (tile: Tile): number => tile.left + tile.width / 2;
  const distance = (tile: Tile): number => Math.abs(middle(tile) - middle(from));
  return next.tiles.toSorted((a, b) => distance(a) - distance(b))[0]?.at;
}

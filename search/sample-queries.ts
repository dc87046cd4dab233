import { hash } from 'node:crypto';
import type { ItemRow, RowReader, VectorReader } from '#store/contract.ts';
import { toPlaceText } from '#store/item-key.ts';

/**
 * The vectors of some rows of a table, drawn by chance: always the same ones for a seed and the same items, in whatever
 * order the store has them. All where there are fewer.
 */
export async function sampleQueries(
  table: Pick<RowReader<ItemRow>, 'scan'> & Pick<VectorReader<ItemRow>, 'findVectors'>,
  count: number,
  seed: number,
): Promise<Float32Array[]> {
  let drawn: Drawn[] = [];
  for await (const { key, id, source } of table.scan()) {
    drawn.push({ key, lot: hash('sha256', `${seed}\n${toPlaceText({ id, source })}`) });
    if (drawn.length >= 2 * count + MAX_SPARE) drawn = lowest(drawn, count);
  }
  const keys = lowest(drawn, count).map(({ key }) => key);
  const vectors = await table.findVectors(keys);
  return keys.flatMap((key) => vectors.get(key) ?? []);
}

interface Drawn {
  readonly key: string;
  readonly lot: string;
}

const MAX_SPARE = 4096;

function lowest(drawn: readonly Drawn[], count: number): Drawn[] {
  return drawn.toSorted((a, b) => (a.lot < b.lot ? -1 : 1)).slice(0, count);
}

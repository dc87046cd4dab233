import { hash } from 'node:crypto';
import type { RowReader, VectorReader } from '#store/contract.ts';

/**
 * The vectors of some rows of a table, drawn by chance: always the same ones for a seed and the same ids, in whatever
 * order the store has them. All where there are fewer.
 */
export async function sampleQueries(
  table: Pick<RowReader<Id>, 'scan'> & Pick<VectorReader<Id>, 'findVectors'>,
  count: number,
  seed: number,
): Promise<Float32Array[]> {
  let drawn: Drawn[] = [];
  for await (const { id } of table.scan()) {
    drawn.push({ id, lot: hash('sha256', `${seed}\n${id}`) });
    if (drawn.length >= 2 * count + MAX_SPARE) drawn = lowest(drawn, count);
  }
  const ids = lowest(drawn, count).map(({ id }) => id);
  const vectors = await table.findVectors(ids);
  return ids.flatMap((id) => vectors.get(id) ?? []);
}

interface Id {
  readonly id: string;
}

interface Drawn {
  readonly id: string;
  readonly lot: string;
}

const MAX_SPARE = 4096;

function lowest(drawn: readonly Drawn[], count: number): Drawn[] {
  return drawn.toSorted((a, b) => (a.lot < b.lot ? -1 : 1)).slice(0, count);
}

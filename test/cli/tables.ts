import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@lancedb/lancedb';

/** A row of a table without what differs from run to run, by its id, and its vector apart. */
export interface StoredRow {
  readonly id: string;
  readonly key: string;
  readonly values: string;
  readonly vector: Float32Array;
}

const VOLATILE = new Set([
  'vector',
  'indexed_at',
  'failed_at',
  'run',
  'run_number',
  'stamp',
  'described',
  '_distance',
]);

export const KINDS = ['images', 'captions', 'failures'] as const;
export type Tables = Readonly<Record<(typeof KINDS)[number], readonly StoredRow[]>>;

/** Every row of one kind of table of an index, read past our own store, sorted by id and key. */
async function readTable(index: string, kind: 'images' | 'captions' | 'failures'): Promise<StoredRow[]> {
  const lance = join(index, 'lance');
  const names = (await readdir(lance)).map((name) => name.replace(/\.lance$/, ''));
  const name = names.find((candidate) => candidate === kind || candidate.endsWith(`.${kind}`));
  if (name === undefined) throw new Error(`No table of ${kind} in ${names.join(', ')}`);
  const connection = await connect(lance);
  const table = await connection.openTable(name);
  const rows = (await table.query().toArray()) as Record<string, unknown>[];
  connection.close();
  return rows.map(toStored).sort((a, b) => order(a.id, b.id) || order(a.key, b.key));
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function toStored(row: Record<string, unknown>): StoredRow {
  const keys = Object.keys(row).filter((key) => !VOLATILE.has(key));
  // Files beside a picture are known only where none was written just now.
  const values = keys
    .map((key) => `${key}=${String(row[key])}`)
    .join(' ')
    .replaceAll(/,"described":"[^"]*"/g, '');
  const vector = (row.vector as { toArray?(): ArrayLike<number> } | undefined)?.toArray?.() ?? [];
  return { id: String(row.id), key: String(row.key), values, vector: toFloats(vector) };
}

/** Arrow gives halves as their bits. */
function toFloats(vector: ArrayLike<number>): Float32Array {
  if (!(vector instanceof Uint16Array)) return Float32Array.from(vector);
  return Float32Array.from(new Float16Array(vector.slice().buffer));
}

/** All that an index holds of pictures, captions and failures. */
export async function readTables(index: string): Promise<Tables> {
  const [images, captions, failures] = await Promise.all(KINDS.map((kind) => readTable(index, kind)));
  return { images: images ?? [], captions: captions ?? [], failures: failures ?? [] };
}

/** Holds that two indexes hold the same, each key once. */
export function assertSame(actual: Tables, expected: Tables): void {
  for (const kind of KINDS) {
    const ids = actual[kind].map(({ key }) => key);
    assert.equal(new Set(ids).size, ids.length, `${kind}: a key twice`);
    assert.deepEqual(actual[kind].map(comparable), expected[kind].map(comparable), kind);
    for (const [i, { id, vector }] of actual[kind].entries()) {
      const right = expected[kind][i]?.vector ?? [];
      assert.equal(vector.length, right.length);
      const worst = vector.reduce(
        (most, value, k) => Math.max(most, Math.abs(value - (right[k] ?? Number.NaN))),
        0,
      );
      assert.ok(worst <= 1e-3, `${kind} ${id}: vectors differ by ${worst}`);
    }
  }
}

/** What is not there is looked for each time: only its attempts may differ. */
function comparable({ values }: StoredRow): string {
  return values.includes('code=ITEM_NOT_FOUND') ? values.replace(/attempts=\d+/, 'attempts=n') : values;
}

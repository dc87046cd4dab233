import { halfToFloat } from '#float16.ts';
import type {
  CaptionRecord,
  GenerationRecord,
  GenerationTables,
  ImageRecord,
  Store,
} from '#store/contract.ts';
import type { Finding } from '../finding.ts';
import { findDisagreements } from './check-agreement.ts';
import { KeySet } from './key-set.ts';
import { NamedItems } from './named-items.ts';

/** What is wrong with the items of an index, of all its generations. */
export interface RowFaults {
  rows: number;
  readonly vectors: NamedItems;
  readonly repeated: NamedItems;
  readonly withoutPicture: NamedItems;
  readonly storedAndFailed: NamedItems;
}

/** Length of a vector of half floats, squared, is off by 0.001 at most. */
const TOLERANCE = 4e-3;

/** Streams all rows with their vectors, 8 bytes of memory a row; `onRows` is told of rows as they are read. */
export async function findRowFaults(store: Store, onRows: (count: number) => void): Promise<RowFaults> {
  const faults: RowFaults = {
    ...{ rows: 0, vectors: new NamedItems(), repeated: new NamedItems() },
    ...{ withoutPicture: new NamedItems(), storedAndFailed: new NamedItems() },
  };
  const active = new Set<string>();
  for (const collection of await store.collections())
    active.add((await store.activeGeneration(collection))?.name ?? '');
  for (const record of await store.generations())
    await lookAt(store, record, active.has(record.name), faults, onRows);
  return faults;
}

async function lookAt(
  store: Store,
  record: GenerationRecord,
  isActive: boolean,
  faults: RowFaults,
  onRows: (count: number) => void,
): Promise<void> {
  const { collection, dimensions } = record;
  const tables = await store.tables(record);
  const keys = { image: new KeySet(), caption: new KeySet() };
  for (const kind of ['image', 'caption'] as const) {
    for await (const { rows, halves } of scan(tables, kind)) {
      const values = halfToFloat(halves);
      for (const [i, row] of rows.entries()) {
        keys[kind].add(row.key);
        const vector = values.subarray(i * dimensions, (i + 1) * dimensions);
        if (!isUnit(vector)) faults.vectors.add({ ...row, collection, kind });
      }
      faults.rows += rows.length;
      onRows(rows.length);
    }
    await nameRepeated(tables, kind, keys[kind], faults.repeated);
  }
  // Failures are those of the collection: an older generation knows nothing of them.
  if (!isActive) return;
  await findDisagreements(store, tables, keys, faults);
}

function scan(
  { images, captions }: GenerationTables,
  kind: 'image' | 'caption',
): AsyncIterable<{ rows: readonly (ImageRecord | CaptionRecord)[]; halves: Uint16Array }> {
  return kind === 'image' ? images.scanVectors() : captions.scanVectors();
}

function isUnit(vector: Float32Array): boolean {
  let square = 0;
  for (const value of vector) square += value * value;
  return vector.length > 0 && Math.abs(square - 1) <= TOLERANCE;
}

/** A second look, by whole keys, only where the first one found two alike. */
async function nameRepeated(
  { record: { collection }, images, captions }: GenerationTables,
  kind: 'image' | 'caption',
  keys: KeySet,
  found: NamedItems,
): Promise<void> {
  const repeated = keys.repeated();
  if (repeated.size === 0) return;
  const met = new Set<string>();
  for await (const row of kind === 'image' ? images.scan() : captions.scan()) {
    if (!repeated.has(row.key)) continue;
    if (met.has(row.key)) found.add({ ...row, collection, kind });
    met.add(row.key);
  }
}

/** One finding a kind of fault. */
export function describeRowFaults(index: string, faults: RowFaults): Finding[] {
  const { rows, vectors, repeated, withoutPicture, storedAndFailed } = faults;
  const finding = (name: string, items: NamedItems, good: string, bad: string): Finding => ({
    name,
    state: items.count > 0 ? 'faulty' : 'ok',
    detail: items.count > 0 ? `${items.count} ${bad}: ${items.describe()}` : good,
    data: { rows, count: items.count, items: items.first },
  });
  const again = `take them out and index their source again: vlmo remove --key KEY --index ${index}`;
  return [
    finding(
      'vectors',
      vectors,
      `${rows} vectors are of unit length`,
      `vectors are not of unit length; ${again}`,
    ),
    finding('keys', repeated, `${rows} keys, each once`, `rows have a key that another one has; ${again}`),
    finding(
      'captions',
      withoutPicture,
      'each describes a picture that is stored or listed as failed, or none',
      `captions describe pictures that are neither stored nor listed as failed; index the source of those, or take them out: vlmo remove --key KEY --index ${index}`,
    ),
    finding(
      'failures',
      storedAndFailed,
      'nothing is both stored and listed as failed',
      `items are both stored and listed as failed; try them again: vlmo index SOURCE --retry-failed --index ${index}`,
    ),
  ];
}

import { isDeepStrictEqual } from 'node:util';
import type { GenerationTables } from '#store/contract.ts';
import type { TwoDoors } from './two-doors.ts';

/** What is stored and listed, by seed, without what tells two runs apart. */
type Contents = Map<number, Map<string, unknown>>;

/** The seeds of which the two collections differ, with the first difference of each in words. */
export async function differences({ store, direct, queued }: TwoDoors): Promise<Map<number, string>> {
  const [one, other] = [await contents(store, direct), await contents(store, queued)];
  const found = new Map<number, string>();
  for (const seed of new Set([...one.keys(), ...other.keys()])) {
    const difference = firstDifference(one.get(seed) ?? new Map(), other.get(seed) ?? new Map());
    if (difference !== undefined) found.set(seed, difference);
  }
  return found;
}

async function contents(store: TwoDoors['store'], tables: GenerationTables): Promise<Contents> {
  const found: Contents = new Map();
  const add = (kind: string, id: string, value: object): void => {
    const seed = Number.parseInt(id, 10);
    const ofSeed = found.get(seed) ?? new Map<string, unknown>();
    found.set(seed, ofSeed);
    ofSeed.set(`${kind} ${id}`, value);
  };
  for await (const row of tables.images.scan()) add('image', row.id, { ...row, ...RUN });
  for await (const row of tables.captions.scan()) add('caption', row.id, { ...row, ...RUN });
  for await (const failure of store.failures.scan(tables.record.collection))
    add(`failed ${failure.kind}`, failure.id, { ...failure, ...RUN, ...FAILURE });
  return found;
}

/** What differs from run to run, and from collection to collection; a file is known where it was not written just now. */
const RUN = { run: '', indexedAt: null, stamp: null };
/** A worker tries again by itself what may pass; a direct run leaves that to the next one. */
const FAILURE = { failedAt: null, runNumber: null, collection: '', attempts: 0 };

function firstDifference(one: Map<string, unknown>, other: Map<string, unknown>): string | undefined {
  for (const key of new Set([...one.keys(), ...other.keys()])) {
    if (isDeepStrictEqual(one.get(key), other.get(key))) continue;
    return `${key.slice(0, 200)}\n    directly: ${shown(one.get(key))}\n    queued:   ${shown(other.get(key))}`;
  }
  return undefined;
}

function shown(value: unknown): string {
  return value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 600);
}

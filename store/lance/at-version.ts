import { LRUCache } from 'lru-cache';

/** What `make` gives, made anew for each version of a table: whoever asks sees all that was committed before. */
export function atVersion<T>(version: () => Promise<number>, make: () => Promise<T> | T): () => Promise<T> {
  let held: { readonly version: number; readonly made: Promise<T> } | undefined;
  return async () => {
    const now = await version();
    if (held?.version === now) return held.made;
    const mine = { version: now, made: Promise.resolve(make()) };
    held = mine;
    mine.made.catch(() => {
      if (held === mine) held = undefined;
    });
    return mine.made;
  };
}

/** Values of one version that are kept, by the bytes they were read from: in the heap they take some three times that. */
const MAX_BYTES = 16e6;

/** A value that was read, and the bytes that it took in the table. */
export interface Sized<Value> {
  readonly value: Value;
  readonly bytes: number;
}

/**
 * A look for keys that reads what it has not read of the table's version yet, and keeps what was used last. Keys that `lookUp` leaves
 * out are known to be none.
 */
export function lookUpAtVersion<Key extends {}, Value>(
  version: () => Promise<number>,
  lookUp: (keys: readonly Key[]) => Promise<Map<Key, Sized<Value>>>,
): (keys: readonly Key[]) => Promise<Map<Key, Value>> {
  const kept = atVersion(
    version,
    () => new LRUCache<Key, Partial<Sized<Value>>>({ maxSize: MAX_BYTES, sizeCalculation: sizeOf }),
  );
  return async (keys) => {
    const known = await kept();
    const found = new Map(keys.map((key) => [key, known.get(key)]));
    const unknown = [...found.keys()].filter((key) => found.get(key) === undefined);
    const read = unknown.length === 0 ? undefined : await lookUp(unknown);
    for (const key of unknown) {
      const entry = read?.get(key) ?? {};
      known.set(key, entry);
      found.set(key, entry);
    }
    return new Map(
      [...found].flatMap(([key, entry]) => (entry?.value === undefined ? [] : [[key, entry.value]])),
    );
  };
}

/** A key and its entry. */
const ENTRY_BYTES = 64;

function sizeOf({ bytes = 0 }: Partial<Sized<unknown>>): number {
  return ENTRY_BYTES + bytes;
}

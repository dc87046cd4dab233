interface Waiting<Key, Value> {
  readonly keys: readonly Key[];
  readonly resolve: (found: Map<Key, Value>) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Joins lookups of many callers: one that finds none under way begins at once; those that come meanwhile are one lookup
 * together, which begins when that has ended, so that each sees what was committed before it was asked.
 */
export function gather<Key, Value>(
  lookUp: (keys: readonly Key[]) => Promise<Map<Key, Value>>,
): (keys: readonly Key[]) => Promise<Map<Key, Value>> {
  const waiting: Waiting<Key, Value>[] = [];
  let isReading = false;

  async function work(): Promise<void> {
    isReading = true;
    while (waiting.length > 0) await together(waiting.splice(0));
    isReading = false;
  }

  async function together(callers: readonly Waiting<Key, Value>[]): Promise<void> {
    const [first] = callers;
    try {
      if (first && callers.length === 1) return first.resolve(await lookUp(first.keys));
      const found = await lookUp([...new Set(callers.flatMap(({ keys }) => keys))]);
      for (const { keys, resolve } of callers)
        resolve(new Map(keys.flatMap((key) => (found.has(key) ? [[key, found.get(key) as Value]] : []))));
    } catch (error) {
      for (const { reject } of callers) reject(error);
    }
  }

  return (keys) =>
    new Promise((resolve, reject) => {
      waiting.push({ keys, resolve, reject });
      if (!isReading) void work();
    });
}

import { isOfTheMachine } from './errors.ts';

/**
 * Runs a batch; where that rejects, each of its items alone and in order, so that the one at fault is known and the
 * rest is done; but for an error of the machine, which is thrown. `failed` says what a lone item's error means.
 */
export async function isolateFailures<Item, Result>(
  items: readonly Item[],
  run: (items: readonly Item[]) => Promise<Result[]>,
  failed: (item: Item, error: unknown) => Result,
): Promise<Result[]> {
  try {
    return await run(items);
  } catch (error) {
    if (isOfTheMachine(error)) throw error;
    const [first] = items;
    if (items.length === 1 && first !== undefined) return [failed(first, error)];
    const results: Result[] = [];
    for (const item of items) results.push(...(await isolateFailures([item], run, failed)));
    return results;
  }
}

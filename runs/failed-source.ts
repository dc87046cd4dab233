import type { Item, Source } from '#sources/item.ts';
import type { Store } from '#store/contract.ts';

const PREFIX = 'failures of ';

/**
 * What is listed as failed in a collection, as a source: the items as they came from theirs. A row that could not be
 * understood is not among them; mending it means to read its source again. With `run`, only what that was the last to meet.
 */
export function createFailedSource(store: Store, collection: string, run?: string): Source {
  return {
    uri: `${PREFIX}${collection}${run === undefined ? '' : `, run ${run}`}`,
    fraction: () => undefined,
    async *items() {
      for await (const { kind, source, item, run: of } of store.failures.scan(collection)) {
        if (kind !== 'broken' && item !== null && (run ?? of) === of)
          yield { ...(JSON.parse(item) as Item), source };
      }
    },
  };
}

/** Whether a run was over what had failed, and not over a place. */
export function isFailedSource(uri: string): boolean {
  return uri.startsWith(PREFIX);
}

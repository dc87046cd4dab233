import { renameSource } from '#runs/rename-source.ts';
import { nameSchema, parseRequest } from '#search/request.ts';
import type { Store } from '#store/contract.ts';

/** Throws REQUEST_INVALID, SOURCE_UNKNOWN, SOURCE_TAKEN, SOURCE_BUSY. */
export async function renameIn(store: Store, from: string, to: string): Promise<void> {
  await renameSource(store, { from, to: parseRequest(nameSchema, to, 'rename a source') });
}

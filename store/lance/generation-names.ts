import { VlmoError } from '#errors.ts';
import type { GenerationSpec } from '#store/contract.ts';

/** `<collection>.<first 12 digits of the fingerprint>`, which also starts the names of its tables. */
export function generationName({ collection, fingerprint }: GenerationSpec): string {
  assertCollectionName(collection);
  if (!/^[0-9a-f]{12,}$/.test(fingerprint)) {
    throw new Error(
      `Cannot name a generation: expected a hex fingerprint, received "${fingerprint}", this is a bug`,
    );
  }
  return `${collection}.${fingerprint.slice(0, 12)}`;
}

/** A collection's name becomes part of folder names, on every file system. */
function assertCollectionName(name: string): void {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(name)) return;
  const expected = '1 to 64 letters, digits, "_" or "-"';
  throw new VlmoError(
    'STORE_COLLECTION_INVALID',
    `Cannot use collection ${JSON.stringify(name)}: expected ${expected}`,
  );
}

/** Refuses "Cats" beside "cats": on macOS and Windows their folders would be one. */
export function assertNotSameFolder(collection: string, others: Iterable<string>): void {
  for (const other of others) {
    if (other === collection || other.toLowerCase() !== collection.toLowerCase()) continue;
    const message = `Cannot use collection "${collection}": expected a name that differs from "${other}" by more than upper and lower case`;
    throw new VlmoError('STORE_COLLECTION_INVALID', message);
  }
}

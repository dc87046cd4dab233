import { VlmoError } from '#errors.ts';
import type { Store } from './contract.ts';

/** The folder of an index, for what has to lie beside it. Throws USAGE_INVALID where the index is in none of this machine. */
export function localFolderOf({ localFolder, uri }: Store): string {
  if (localFolder !== undefined) return localFolder;
  throw new VlmoError(
    'USAGE_INVALID',
    `Cannot use index "${uri}" for this: it is in no folder of this machine`,
  );
}

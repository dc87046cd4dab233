import { VlmoError } from '#errors.ts';
import type { OpenIndex } from '#service/contract.ts';
import { openIndex } from '#service/open-index.ts';
import type { IndexSettings } from '#service/settings.ts';
import { note } from './output.ts';

export interface TargetFlags {
  readonly index: string;
  readonly model: string | undefined;
  readonly collection: string;
}

/** The index that a source goes into; made where it is not there and a model is named. */
export async function openTarget(
  { index, model }: TargetFlags,
  settings: IndexSettings = {},
): Promise<OpenIndex> {
  const writing = { ...settings, note, write: true };
  if (model !== undefined) return openIndex(index, { ...writing, create: true, model });
  return openIndex(index, { ...writing, model: undefined }).catch((error: unknown) => {
    if (!(error instanceof VlmoError) || error.code !== 'STORE_NOT_FOUND') throw error;
    throw new VlmoError(
      'USAGE_INVALID',
      'Cannot index: expected --model FOLDER (or --model demo) for a new collection, received none',
    );
  });
}

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { PreprocessMode } from '#pictures/preprocess.ts';
import type { Model } from './model.ts';
import { TOKENIZER_FILE } from './tokenizer.ts';

/** Raised when the same weights would give other vectors than before: a change of preprocessing or of the network. */
const VECTOR_VERSION = 1;

/**
 * Hex digest of everything that decides a vector: weights and sizes, tokenizer, preprocessing, stored format. Vectors
 * of two fingerprints never meet in one generation.
 */
export async function fingerprint(
  model: Pick<Model, 'identity'>,
  preprocess: PreprocessMode,
): Promise<string> {
  const { tokenizerFolder: folder, digests } = model.identity;
  const tokenizer = folder === null ? '' : await readFile(join(folder, TOKENIZER_FILE));
  const identity = {
    version: VECTOR_VERSION,
    config: Object.fromEntries(Object.entries(model.identity.config).sort()),
    tokenizer: createHash('sha256').update(tokenizer).digest('hex'),
    preprocess,
    vectors: 'f16',
    // Only where it is not what the family always wants: the digests of older folders stay.
    ...(model.identity.picture && { picture: model.identity.picture }),
    ...(digests && { files: await digests() }),
  };
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex');
}

/**
 * Of vectors that were computed elsewhere, by a model that is named by its own fingerprint, or by none: these are known by
 * their length alone.
 */
export function foreignFingerprint(dimensions: number, model?: string): string {
  const identity = { vectors: 'imported', dimensions, ...(model !== undefined && { model }) };
  return createHash('sha256').update(JSON.stringify(identity)).digest('hex');
}

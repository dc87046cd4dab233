import type { ModelFolder } from '#model/vlmo/folder.ts';
import { decodeOne } from '#workers/decode/decode-one.ts';
import type { Pools } from '#workers/threads/create-pools.ts';
import { type CrossEncoder, createCrossEncoder } from './cross-encoder.ts';

/**
 * Matches on the pools, ahead of all bulk work that waits for them. Their fusion sessions are made when they are first
 * needed. Throws MODEL_HEAD_MISSING.
 */
export function createPoolCrossEncoder(
  model: ModelFolder,
  { preprocess, inference }: Pick<Pools, 'preprocess' | 'inference'>,
): Promise<CrossEncoder> {
  return createCrossEncoder({
    model,
    threads: inference.threads,
    decode: (uri, pixels, slot) => decodeOne(preprocess, { uri }, pixels, slot),
    run: (pixels, count, texts) => inference.runUrgent({ kind: 'match', pixels, count, texts }),
  });
}

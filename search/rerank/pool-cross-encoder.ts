import { errorMessage, VlmoError } from '#errors.ts';
import type { ModelFolder } from '#model/vlmo/folder.ts';
import type { Pools } from '#workers/threads/create-pools.ts';
import type { PictureOutcome } from '#workers/threads/protocol.ts';
import { type CrossEncoder, createCrossEncoder } from './cross-encoder.ts';

/**
 * Matches on the threads of the pools, ahead of all bulk work that waits for them. Their fusion sessions are made when
 * they are first needed. Throws MODEL_HEAD_MISSING.
 */
export function createPoolCrossEncoder(
  model: ModelFolder,
  { preprocess, inference }: Pick<Pools, 'preprocess' | 'inference'>,
): Promise<CrossEncoder> {
  return createCrossEncoder({
    model,
    threads: inference.threads,
    async decode(uri, pixels, slot) {
      const picture = { uri, storedSha256: null, failedSha256: null };
      const task = { pixels, firstSlot: slot, pictures: [picture] };
      const [outcome] = await preprocess.runUrgent(task).catch((error: unknown) => {
        throw crashed(uri, error);
      });
      requireReady(uri, outcome);
    },
    run: (pixels, count, texts) => inference.runUrgent({ kind: 'match', pixels, count, texts }),
  });
}

function requireReady(uri: string, outcome: PictureOutcome | undefined): void {
  if (outcome?.kind === 'failed') throw new VlmoError(outcome.error.code, outcome.error.message);
  if (outcome?.kind !== 'ready') throw new Error(`No pixels of "${uri}": this is a bug`);
}

function crashed(uri: string, error: unknown): VlmoError {
  const received = `the end of its thread (${errorMessage(error)})`;
  return new VlmoError(
    'WORKER_CRASHED',
    `Cannot read image "${uri}": expected pixels, received ${received}`,
    {
      cause: error,
    },
  );
}

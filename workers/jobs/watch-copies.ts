import { VlmoError } from '#errors.ts';
import type { Beat } from '#queue/heartbeat.ts';
import { requireSameIndex } from '#runs/same-index.ts';

const LOOK_MS = 30_000;

export interface CopyWatch extends Disposable {
  /** Aborted, with the error as its reason, once a worker of another copy of the index takes its jobs. */
  readonly found: AbortSignal;
}

/**
 * Looks now and then whether all workers of the queue work on this very index. Each looked before it began; of two that
 * began at once on two copies, the one whose id comes later in the alphabet gives way.
 */
export function watchCopies(index: string, alive: () => Promise<readonly Beat[]>, worker: string): CopyWatch {
  const controller = new AbortController();
  const others = async (): Promise<Beat[]> => (await alive()).filter((beat) => beat.worker < worker);
  const look = (): void => {
    requireSameIndex(index, others).catch((error: unknown) => {
      if (error instanceof VlmoError && error.code === 'INDEX_COPIED') controller.abort(error);
    });
  };
  const timer = setInterval(look, LOOK_MS);
  return { found: controller.signal, [Symbol.dispose]: () => clearInterval(timer) };
}

import { setTimeout } from 'node:timers/promises';
import { errorMessage, VlmoError } from '#errors.ts';
import { backoffMs } from './backoff.ts';

/** How long what Redis refuses, or does not answer, is tried again. */
export interface Patience {
  /** Infinity: for as long as it takes. */
  readonly seconds: number;
  /** Ends it at once. */
  readonly signal?: AbortSignal | undefined;
  /** Told of each try that failed. */
  readonly onTrouble?: ((error: Error) => void) | undefined;
}

/** The longest wait between two tries. */
const LONGEST_MS = 10_000;

/**
 * Does a step again for as long as Redis refuses it or does not answer: it is full, read-only, failing over, away, or asks
 * for another password. The step must be one that may be done twice. Throws REDIS_UNREACHABLE when patience ends, the
 * reason of `signal`, and at once what is no error of Redis.
 */
export async function patiently<T>(
  step: () => Promise<T>,
  { seconds, signal, onTrouble }: Patience,
): Promise<T> {
  const begun = performance.now();
  for (let attempt = 1; ; attempt++) {
    try {
      return await step();
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof VlmoError || error instanceof SyntaxError || isMoved(error)) throw error;
      const left = begun + seconds * 1000 - performance.now();
      if (left <= 0) throw exhausted(seconds, error);
      onTrouble?.(error instanceof Error ? error : new Error(errorMessage(error)));
      await setTimeout(Math.min(left, LONGEST_MS, backoffMs(attempt)), undefined, signal && { signal });
    }
  }
}

/** Whether a job is not where a step looked for it, because somebody else has moved it: no error of Redis. */
export function isMoved(error: unknown): boolean {
  return /^(Missing (key|lock) for|Lock mismatch for|Job .+ is not in the )/.test(errorMessage(error));
}

function exhausted(seconds: number, error: unknown): VlmoError {
  const hint = 'nothing is lost: do the same again, or give it longer by --redis-patience';
  return new VlmoError(
    'REDIS_UNREACHABLE',
    `Cannot use Redis: it has refused or not answered for ${seconds} seconds, in the end with "${errorMessage(error)}"; ${hint}`,
  );
}

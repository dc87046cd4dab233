import { setTimeout } from 'node:timers/promises';
import { errorMessage } from '#errors.ts';

/** Tries of one step: with four writers, a commit met others up to six times in a row. */
const MAX_TRIES = 30;
const FIRST_WAIT_MS = 20;
const LONGEST_WAIT_MS = 1000;

/** Does a writing step again as long as it meets commits of other processes; the waits grow, and differ by chance. */
export async function retryConflicts<T>(step: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await step();
    } catch (error) {
      if (!isConflict(error) || attempt >= MAX_TRIES) throw error;
      const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** attempt);
      await setTimeout(longest * (0.5 + 0.5 * Math.random()));
    }
  }
}

/** Whether a write was refused because another process has committed since it began: nothing was written. */
export function isConflict(error: unknown): boolean {
  return /conflict|too many concurrent writers|preempted by concurrent/i.test(errorMessage(error));
}

import type { ErrorCode } from '#errors.ts';

/**
 * How often an item is tried, by what went wrong. A broken picture never gets better; a file that cannot be read may
 * be on a disk that is busy; a thread or a process that died may have died of something else. All others are
 * tried once, and again by `vlmo queue retry-failed`.
 */
const ATTEMPTS: Partial<Record<ErrorCode, number>> = {
  ITEM_UNREADABLE: 4,
  INFERENCE_FAILED: 2,
  WORKER_CRASHED: 2,
};

/** Whether an item that has been tried so often in its job is tried again after this error. */
export function isTriedAgain(code: ErrorCode, attempts: number): boolean {
  return attempts < (ATTEMPTS[code] ?? 1);
}

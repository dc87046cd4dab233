import assert from 'node:assert/strict';
import test from 'node:test';
import { ERROR_CODES, type ErrorCode } from '#errors.ts';
import { isTriedAgain } from '#workers/jobs/retry-policy.ts';

/** How often an item with this error is tried in all. */
function tries(code: ErrorCode): number {
  for (let attempts = 1; attempts < 100; attempts++) if (!isTriedAgain(code, attempts)) return attempts;
  return Number.POSITIVE_INFINITY;
}

test('isTriedAgain: four times what a busy disk may cause, twice what may have died of something else, all else once', () => {
  const codes = Object.keys(ERROR_CODES) as ErrorCode[];
  const more = codes.map((code) => [code, tries(code)] as const).filter(([, count]) => count !== 1);
  assert.deepEqual(Object.fromEntries(more), {
    ITEM_UNREADABLE: 4,
    WORKER_CRASHED: 2,
    INFERENCE_FAILED: 2,
  });
});

test('isTriedAgain: only what may get better by itself', () => {
  for (const [code, { retriable }] of Object.entries(ERROR_CODES))
    if (isTriedAgain(code as ErrorCode, 1)) assert.ok(retriable, code);
});

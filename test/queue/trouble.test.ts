import assert from 'node:assert/strict';
import test from 'node:test';
import { createTrouble } from '#queue/trouble.ts';

test('createTrouble says each kind of trouble once, then once a minute how long it lasts, and begins anew', () => {
  let now = 5e6;
  const said: string[] = [];
  const { met } = createTrouble(
    (words) => said.push(words),
    () => now,
  );
  for (let second = 0; second < 130; second++) {
    met(new Error('OOM command not allowed'));
    if (second === 2) met(new Error('could not renew lock for job 4775eff0d637a26755578c516a162b0f'));
    if (second > 2) met(new Error(`could not renew lock for job ${String(second).padStart(32, '0')}`));
    now += 1000;
  }
  now += 60_000;
  met(new Error('OOM command not allowed'));
  assert.deepEqual(said, [
    'Redis: OOM command not allowed; waiting for it',
    'Redis: could not renew lock for job 4775eff0d637a26755578c516a162b0f; waiting for it, for 2 seconds now',
    'Redis: OOM command not allowed; waiting for it, for 62 seconds now',
    'Redis: OOM command not allowed; waiting for it, for 122 seconds now',
    'Redis: OOM command not allowed; waiting for it',
  ]);
});

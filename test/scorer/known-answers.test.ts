import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Backend } from '#scorer/backend.ts';
import { createBackends } from '#scorer/backends.ts';
import { proveBackend } from '#scorer/known-answers.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';

const [backend, ...others] = createBackends('cpu');
after(async () => {
  for (const each of [backend, ...others]) await each?.[Symbol.asyncDispose]();
});

/** The CPU's backend with one score that is off. */
function brokenBackend(): Backend {
  const right = backend as Backend;
  return {
    ...right,
    async score(task) {
      const candidates = await right.score(task);
      candidates.values[candidates.values.length - 1] = 0.5;
      return candidates;
    },
  };
}

test('proveBackend: the CPU is right to what 8 bits explain', async (t) => {
  // The first one starts the thread.
  await proveBackend(backend as Backend, 'cpu', 64);
  for (const dimensions of [1, 32, 100, 768]) {
    const start = performance.now();
    const difference = await proveBackend(backend as Backend, 'cpu', dimensions);
    t.diagnostic(
      `${dimensions}: ${difference.toExponential(1)}, ${(performance.now() - start).toFixed(1)} ms`,
    );
    assert.ok(difference < 0.01);
  }
});

test('proveBackend: once a process, device and shape', async () => {
  const first = proveBackend(backend as Backend, 'cpu', 768);
  assert.equal(proveBackend(backend as Backend, 'cpu', 768), first);
  await first;
});

test('proveBackend: one score that is off is refused', async () => {
  await assert.rejects(
    proveBackend(brokenBackend(), 'cpu', 48),
    vlmoError('DEVICE_WRONG', 'expected a score of', 'received 0.5'),
  );
});

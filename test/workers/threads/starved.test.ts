import assert from 'node:assert/strict';
import { cp, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { openModel } from '#model/open-model.ts';
import { createInferencePool } from '#workers/threads/pools.ts';
import { temporaryFolder } from '../../fixtures/files.ts';
import { runChild } from '../../fixtures/run-child.ts';
import { importTiny } from '../../fixtures/tiny-model.ts';
import { vlmoError } from '../../model/vlmo/model-fixture.ts';
import { watchThreads } from './threads.ts';

const TINY = await importTiny(await temporaryFolder({ after }));

interface Outcome {
  readonly code?: string;
  readonly message?: string;
  readonly length?: number;
  readonly seconds: number;
}

interface Outcomes {
  readonly starved: readonly Outcome[];
  readonly mended: Outcome;
  readonly alive: number;
}

describe('threads that cannot be started again', () => {
  for (const [kind, length] of [
    ['inference', 64],
    ['scorer', 0],
  ] as const) {
    test(`${kind}: all that waits is told the reason soon, and what comes once it is mended is done`, async () => {
      const { starved, mended, alive } = await runChild<Outcomes>('starved-child.ts', [kind, TINY]);
      for (const { code, message, seconds } of starved) {
        assert.equal(code, 'THREAD_UNAVAILABLE', message);
        assert.match(message ?? '', /^Cannot start a thread.*(EMFILE|too many open files|ERR_WORKER)/i);
        assert.ok(seconds < 10, `${seconds} s`);
      }
      assert.deepEqual({ length: mended.length, alive }, { length, alive: 0 }, mended.message);
    });
  }

  test('a model that is away when a thread starts again is no fault of the task', async (t) => {
    const folder = join(await temporaryFolder(t), 'model');
    await cp(TINY, folder, { recursive: true });
    using threads = watchThreads();
    await using pool = await createInferencePool(await openModel(folder), {
      workers: 1,
      threadsPerWorker: 1,
    });
    await rename(folder, `${folder}-away`);
    for (const thread of threads.alive) await thread.terminate();
    const run = (): Promise<Float32Array> => pool.run({ kind: 'texts', texts: ['red'] });
    await assert.rejects(run(), vlmoError('THREAD_UNAVAILABLE', 'model'));
    await rename(`${folder}-away`, folder);
    assert.equal((await run()).length, 64);
  });
});

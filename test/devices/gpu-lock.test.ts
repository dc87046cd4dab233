// Runs alone: it owns a device.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { inTurn } from '#devices/gpu-lock.ts';
import { fixture } from '../fixtures/files.ts';
import type { TurnThreadData } from '../fixtures/turn-thread.ts';

const TIMES = 20;

function startThread(shared: SharedArrayBuffer, what: TurnThreadData['what']): Worker {
  const workerData: TurnThreadData = { shared, what, times: TIMES };
  return new Worker(fixture('turn-thread.ts'), { workerData });
}

async function ended(worker: Worker): Promise<void> {
  worker.on('error', (error) => assert.fail(error));
  await once(worker, 'exit');
}

describe('inTurn', () => {
  test('threads, and calls within one, come one after the other', async () => {
    const shared = new SharedArrayBuffer(4);
    const cell = new Int32Array(shared);
    const threads = [startThread(shared, 'adds'), startThread(shared, 'adds')].map(ended);
    const here = Array.from({ length: TIMES }, () =>
      inTurn('webgpu', async () => {
        const before = cell[0] ?? 0;
        await new Promise(setImmediate);
        cell[0] = before + 1;
      }),
    );
    await Promise.all([...threads, ...here]);
    assert.equal(cell[0], 3 * TIMES);
  });

  test('a thread that ends in its turn gives it back', async () => {
    await ended(startThread(new SharedArrayBuffer(4), 'ends'));
    assert.equal(await inTurn('webgpu', async () => 'mine'), 'mine');
  });

  test('work that fails gives it back, and the error on', async () => {
    const failing = inTurn('webgpu', async () => {
      throw new Error('lost');
    });
    await assert.rejects(failing, /lost/);
    assert.equal(await inTurn('webgpu', async () => 'mine'), 'mine');
  });

  test('the CPU waits for nobody', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const held = inTurn('webgpu', () => promise);
    assert.equal(await inTurn('cpu', async () => 'at once'), 'at once');
    resolve();
    await held;
  });
});

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Piscina } from 'piscina';
import { UrgentFirst, urgent } from '#workers/threads/urgent-first.ts';
import { temporaryFolder } from '../../fixtures/files.ts';

const TASK = {};
const ENTRY = join(await temporaryFolder({ after }), 'entry.mjs');
await writeFile(ENTRY, 'export default async () => undefined;');
const ABORTED = { name: 'AbortError' };

/** A pool of one thread that notes by name which tasks it has done. */
class NotingPool {
  readonly done: string[] = [];
  readonly queue = new UrgentFirst();
  readonly #pool = new Piscina({
    filename: ENTRY,
    minThreads: 1,
    maxThreads: 1,
    taskQueue: this.queue,
    stricterFIFO: true,
  });

  async run(name: string, task: object = TASK, signal?: AbortSignal): Promise<void> {
    await this.#pool.run(task, signal && { signal });
    this.done.push(name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#pool.close();
  }
}

describe('UrgentFirst', () => {
  test('an urgent task is the next to run, urgent ones and all others in the order given', async () => {
    await using pool = new NotingPool();
    // The first one has the thread before the others are there.
    const names = ['running', 'bulk 1', 'bulk 2', 'URGENT 1', 'bulk 3', 'URGENT 2', 'URGENT 3', 'bulk 4'];
    const all = names.map((name) => pool.run(name, name.startsWith('URGENT') ? urgent(TASK) : TASK));
    assert.equal(pool.queue.size, names.length - 1);
    await Promise.all(all);
    const inOrder = ['running', 'URGENT 1', 'URGENT 2', 'URGENT 3', 'bulk 1', 'bulk 2', 'bulk 3', 'bulk 4'];
    assert.deepEqual(pool.done, inOrder);
    assert.equal(pool.queue.size, 0);
  });

  test('a task that is aborted leaves the queue, whichever kind it is of, and the others run', async () => {
    await using pool = new NotingPool();
    const abort = new AbortController();
    const kept = ['running', 'bulk 1'].map((name) => pool.run(name));
    const aborted = [
      pool.run('bulk 2', TASK, abort.signal),
      pool.run('URGENT 1', urgent(TASK), abort.signal),
    ];
    kept.push(pool.run('URGENT 2', urgent(TASK)), pool.run('bulk 3'));
    assert.equal(pool.queue.size, 5);
    abort.abort();
    assert.equal(pool.queue.size, 3);
    for (const task of aborted) await assert.rejects(task, ABORTED);
    await Promise.all(kept);
    assert.deepEqual(pool.done, ['running', 'URGENT 2', 'bulk 1', 'bulk 3']);
  });

  test('an aborted task that waits outside the queue takes nothing out of it', async () => {
    await using pool = new NotingPool();
    const abort = new AbortController();
    const running = pool.run('running');
    // Nothing waits yet: Piscina keeps what can be aborted in a list of its own.
    const outside = pool.run('outside', urgent(TASK), abort.signal);
    assert.equal(pool.queue.size, 0);
    const others = [pool.run('bulk 1'), pool.run('URGENT 1', urgent(TASK))];
    abort.abort();
    assert.equal(pool.queue.size, 2);
    await assert.rejects(outside, ABORTED);
    await Promise.all([running, ...others]);
    assert.deepEqual(pool.done, ['running', 'URGENT 1', 'bulk 1']);
  });

  test('an empty queue has nothing to give', () => {
    assert.equal(new UrgentFirst().shift(), null);
  });
});

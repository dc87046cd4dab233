import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { VlmoError } from '#errors.ts';
import { openModel } from '#model/open-model.ts';
import type { Runner, RunTask } from '#model/runner.ts';
import { shareRuns } from '#model/shared-runs.ts';
import { pictureValues } from '#pictures/picture-spec.ts';
import { createThreadRunner } from '#workers/threads/thread-runner.ts';
import { seededRandom, temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';

const MODEL = await openModel(await importTiny(await temporaryFolder({ after })));
const RUNNER = createThreadRunner(MODEL, {
  provider: 'cpu',
  preprocess: 'fast',
  maxPixels: 1e8,
  maxImageBytes: 1e6,
});
after(() => RUNNER[Symbol.asyncDispose]());
const TEXTS = ['red apple', 'two dogs', 'a boat', 'a long row of red apples and two dogs', 'red'];

/** The real runner, held at a gate so that others can come meanwhile, and what it was given. */
function gated({ threads = 1, refuses = '' } = {}) {
  const tasks: RunTask[] = [];
  const gate = Promise.withResolvers<void>();
  const runner: Runner = {
    ...{ model: MODEL, threads, decode: RUNNER.decode },
    async run(task, options) {
      tasks.push(task);
      await gate.promise;
      if (refuses !== '' && task.kind === 'texts' && task.texts.includes(refuses))
        throw new VlmoError('INFERENCE_FAILED', 'Cannot run it');
      return RUNNER.run(task, options);
    },
  };
  return { tasks, open: gate.resolve, shared: shareRuns(runner) };
}

function text(...texts: string[]): RunTask {
  return { kind: 'texts', texts };
}

function near(actual: Float32Array | undefined, expected: Float32Array, what: string): void {
  assert.equal(actual?.length, expected.length, what);
  actual?.forEach((value, i) => {
    assert.ok(Math.abs(value - (expected[i] as number)) < 1e-5, `${what}: value ${i}`);
  });
}

describe('shareRuns', () => {
  test('a lone caller begins at once; who comes meanwhile goes together, each with its own vectors', async () => {
    const { tasks, open, shared } = gated();
    const first = shared.run(text('red'));
    assert.equal(tasks.length, 1, 'begun before anybody waits');
    const others = TEXTS.map((one) => shared.run(text(one)));
    const pair = shared.run(text('two', 'red apple'));
    assert.equal(tasks.length, 1);
    open();
    await Promise.all([first, pair, ...others]);
    assert.deepEqual(
      tasks.map((task) => task.kind === 'texts' && task.texts),
      [['red'], [...TEXTS, 'two', 'red apple']],
    );
    for (const [i, one] of TEXTS.entries()) near(await others[i], await RUNNER.run(text(one)), one);
    near(await pair, await RUNNER.run(text('two', 'red apple')), 'two texts');
  });

  test('pictures of several callers are one run, each with its own vectors', async () => {
    const bytes = pictureValues(MODEL.picture);
    const random = seededRandom(4);
    const pictures = Array.from({ length: 3 }, () => {
      // Longer than what is in it, as a buffer is of which one picture could not be read.
      const pixels = new SharedArrayBuffer(2 * bytes);
      new Uint8Array(pixels).forEach((_, i, all) => {
        all[i] = 256 * random();
      });
      return { kind: 'images', pixels, count: 1 } as const;
    });
    const { tasks, open, shared } = gated();
    const first = shared.run(text('red'));
    const found = pictures.map((task) => shared.run(task));
    const later = shared.run(text('two'));
    open();
    await Promise.all([first, later, ...found]);
    assert.deepEqual(
      tasks.map((task) => (task.kind === 'images' ? task.count : task.kind)),
      ['texts', 3, 'texts'],
    );
    for (const [i, task] of pictures.entries()) near(await found[i], await RUNNER.run(task), `picture ${i}`);
  });

  test('a caller that is aborted leaves at once, waiting or running, and harms nobody', async () => {
    const { tasks, open, shared } = gated();
    const [waits, runs] = [new AbortController(), new AbortController()];
    const first = shared.run(text('red'), { signal: runs.signal });
    const gone = shared.run(text('gone'), { signal: waits.signal });
    const stays = shared.run(text('two dogs'));
    waits.abort(new Error('changed my mind'));
    runs.abort(new Error('too late'));
    await assert.rejects(gone, { message: 'changed my mind' });
    await assert.rejects(first, { message: 'too late' });
    const never = shared.run(text('never'), { signal: waits.signal });
    await assert.rejects(never, { message: 'changed my mind' });
    open();
    await Promise.all([stays]);
    assert.deepEqual(
      tasks.map((task) => task.kind === 'texts' && task.texts),
      [['red'], ['two dogs']],
    );
    near(await stays, await RUNNER.run(text('two dogs')), 'two dogs');
  });

  test('where a run fails, only the caller at fault does', async () => {
    const { open, shared } = gated({ refuses: 'bad' });
    const first = shared.run(text('red'));
    const some = ['one', 'bad', 'two'].map((one) => shared.run(text(one)));
    const ended = Promise.allSettled(some);
    open();
    await Promise.all([first, ended]);
    assert.deepEqual(
      (await ended).map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    );
    near(await some[2], await RUNNER.run(text('two')), 'two');
  });

  test('bulk work and who asks to be alone share no run', async () => {
    const { tasks, open, shared } = gated();
    const all = [
      shared.run(text('red')),
      shared.run(text('alone'), { isAlone: true }),
      shared.run(text('many'), { priority: 'bulk' }),
    ];
    assert.equal(tasks.length, 3);
    open();
    await Promise.all([...all]);
  });

  test('as many runs at a time as there are threads', async () => {
    const { tasks, open, shared } = gated({ threads: 2 });
    const all = ['a', 'b', 'c', 'd'].map((one) => shared.run(text(one)));
    assert.equal(tasks.length, 2);
    open();
    await Promise.all([...all]);
    assert.deepEqual(
      tasks.map((task) => task.kind === 'texts' && task.texts),
      [['a'], ['b'], ['c', 'd']],
    );
  });
});

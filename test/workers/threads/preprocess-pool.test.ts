import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { createPicturePreprocessor } from '#workers/threads/picture-preprocessor.ts';
import { createPreprocessPool } from '#workers/threads/pools.ts';
import type {
  PictureOutcome,
  PictureTask,
  PreprocessSetup,
  PreprocessTask,
} from '#workers/threads/protocol.ts';
import { fixture } from '../../fixtures/files.ts';
import { watchThreads } from './threads.ts';

const SIZE = 3 * 64 * 64;
const SETUP: PreprocessSetup = {
  spec: { image_size: [64, 64], num_channels: 3 },
  mode: 'fast',
  maxPixels: 1_000_000,
  maxImageBytes: 1_000_000,
};
const DRAWINGS = ['drawing.png', 'progressive.jpg', 'grey.png', 'alpha.webp', 'drawing.bmp', 'animated.gif'];

const DRAWING = fixture('pictures/drawing.png');
/** A picture that is read and hashed, but not decoded. */
const KNOWN: PictureTask = {
  uri: DRAWING,
  storedSha256: createHash('sha256').update(readFileSync(DRAWING)).digest('hex'),
  failedSha256: null,
};

describe('createPreprocessPool', () => {
  test('many tasks on four threads give what one thread gives', async () => {
    await using pool = createPreprocessPool(SETUP, 4);
    const alone = createPicturePreprocessor(SETUP);
    const tasks = Array.from({ length: 24 }, () => newTask());
    const outcomes = await Promise.all(tasks.map((task) => pool.run(task)));
    const expected = newTask();
    const own = bySlot(expected, await alone(expected));
    assert.equal(own.filter((outcome) => outcome.kind === 'ready').length, DRAWINGS.length - 1);
    for (const [i, task] of tasks.entries()) assert.deepEqual(bySlot(task, outcomes[i] ?? []), own);
  });

  test('an idle thread that dies is replaced, and nothing is lost', async () => {
    using threads = watchThreads();
    await using pool = createPreprocessPool(SETUP, 1);
    assert.equal((await pool.run(newTask())).length, DRAWINGS.length);
    for (const thread of [...threads.alive]) await thread.terminate();
    assert.equal((await pool.run(newTask())).length, DRAWINGS.length);
    assert.equal(threads.started(), 2);
  });
});

describe('PreprocessPool.runUrgent', () => {
  test('goes before all that waits for the one thread, and gives what run gives', async () => {
    await using pool = createPreprocessPool(SETUP, 1);
    const done: string[] = [];
    const run = async (name: string, how: 'run' | 'runUrgent', task = newTask()) => {
      const outcomes = bySlot(task, await pool[how](task));
      done.push(name);
      return outcomes;
    };
    const bulk = ['running', 'bulk 1', 'bulk 2', 'bulk 3'].map((name) => run(name, 'run'));
    const urgent = ['URGENT 1', 'URGENT 2', 'URGENT 3'].map((name) => run(name, 'runUrgent'));
    const [expected, ...others] = await Promise.all([...bulk, ...urgent]);
    for (const outcomes of others) assert.deepEqual(outcomes, expected);
    assert.deepEqual(done, ['running', 'URGENT 1', 'URGENT 2', 'URGENT 3', 'bulk 1', 'bulk 2', 'bulk 3']);
  });

  test('a thread that dies takes only its own task with it: another one serves what waits, urgent first', async () => {
    using threads = watchThreads();
    await using pool = createPreprocessPool(SETUP, 1);
    await pool.run(newTask());
    const done: string[] = [];
    // About a second of nothing but reading and hashing.
    const running = pool.run({ ...newTask(), pictures: Array.from({ length: 20_000 }, () => KNOWN) });
    const waiting = [
      ...['bulk 1', 'bulk 2'].map((name) => pool.run(newTask()).then(() => done.push(name))),
      ...['URGENT 1', 'URGENT 2'].map((name) => pool.runUrgent(newTask()).then(() => done.push(name))),
    ];
    const [thread] = threads.alive;
    await Promise.all([thread?.terminate(), assert.rejects(running, /worker exited/)]);
    await Promise.all(waiting);
    assert.deepEqual(done, ['URGENT 1', 'URGENT 2', 'bulk 1', 'bulk 2']);
    assert.equal(threads.started(), 2);
  });
});

function newTask(): PreprocessTask {
  const pictures = DRAWINGS.map((name) => {
    return { uri: fixture(`pictures/${name}`), storedSha256: null, failedSha256: null };
  });
  return { pixels: new SharedArrayBuffer(DRAWINGS.length * SIZE * 4), firstSlot: 0, pictures };
}

/** Outcomes with the pixels of their slot in its place: which slot it is may differ. */
function bySlot({ pixels }: PreprocessTask, outcomes: readonly PictureOutcome[]) {
  const values = new Float32Array(pixels);
  return outcomes.map((outcome) =>
    outcome.kind === 'ready'
      ? { ...outcome, slot: Buffer.from(values.slice(outcome.slot * SIZE, (outcome.slot + 1) * SIZE).buffer) }
      : outcome,
  );
}

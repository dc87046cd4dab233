import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createPicturePreprocessor } from '#workers/picture-preprocessor.ts';
import { createPreprocessPool } from '#workers/pools.ts';
import type { PictureOutcome, PreprocessSetup, PreprocessTask } from '#workers/protocol.ts';
import { fixture } from '../fixtures/files.ts';
import { watchThreads } from './threads.ts';

const SIZE = 3 * 64 * 64;
const SETUP: PreprocessSetup = {
  spec: { image_size: [64, 64], num_channels: 3 },
  mode: 'fast',
  maxPixels: 1_000_000,
  maxImageBytes: 1_000_000,
};
const DRAWINGS = ['drawing.png', 'progressive.jpg', 'grey.png', 'alpha.webp', 'drawing.bmp', 'animated.gif'];

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

import assert from 'node:assert/strict';
import { cp, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { openModel } from '#model/open-model.ts';
import { loadVlmo, type Vlmo } from '#model/vlmo/vlmo.ts';
import { createInferencePool } from '#workers/threads/pools.ts';
import { seededRandom, temporaryFolder } from '../../fixtures/files.ts';
import { importTiny } from '../../fixtures/tiny-model.ts';
import { assertClose, vlmoError } from '../../model/vlmo/model-fixture.ts';
import { preparedWeights, watchThreads } from './threads.ts';

const TINY = await importTiny(await temporaryFolder({ after }));
const SIZE = 3 * 64 * 64;
describe('createInferencePool', () => {
  test('many batches on three threads give what one session gives one after the other', async () => {
    const model = await openModel(TINY);
    await using vlmo = await loadVlmo(model.path, { threads: 1 });
    await using pool = await createInferencePool(model, { workers: 3, threadsPerWorker: 1 });
    const random = seededRandom(7);
    const pictures = Array.from({ length: 12 }, (_, i) => randomPixels(1 + (i % 4), random));
    const texts = Array.from({ length: 12 }, (_, i) =>
      Array.from({ length: 1 + (i % 5) }, (_, n) => `red ${i} ${n}`),
    );
    for (let round = 0; round < 3; round++) {
      const images = Promise.all(
        pictures.map(({ shared, count }) => pool.run({ kind: 'images', pixels: shared, count })),
      );
      const captions = Promise.all(texts.map((some) => pool.run({ kind: 'texts', texts: some })));
      await compare(vlmo, pictures, await images, texts, await captions);
    }
  });

  test('closing leaves no thread and no weights in memory', async () => {
    using threads = watchThreads();
    const pool = await createInferencePool(await openModel(TINY), { workers: 2, threadsPerWorker: 1 });
    assert.equal(threads.alive.size, 2);
    assert.equal((await preparedWeights()).length, 1);
    await pool[Symbol.asyncDispose]();
    assert.deepEqual([threads.alive.size, await preparedWeights()], [0, []]);
  });

  test('a model that no thread can load rejects at start and leaves nothing behind', async (t) => {
    const folder = join(await temporaryFolder(t), 'broken');
    await cp(TINY, folder, { recursive: true });
    const model = await openModel(folder);
    await writeFile(join(folder, 'tokenizer.json'), '{}');
    using threads = watchThreads();
    await assert.rejects(
      createInferencePool(model, { workers: 3, threadsPerWorker: 1 }),
      vlmoError('MODEL_INVALID', join(folder, 'tokenizer.json')),
    );
    assert.ok(threads.started() >= 3);
    assert.deepEqual([threads.alive.size, await preparedWeights()], [0, []]);
  });

  test('weights that were cut after the model was opened reject at start and leave nothing behind', async (t) => {
    const folder = join(await temporaryFolder(t), 'cut');
    await cp(TINY, folder, { recursive: true });
    const model = await openModel(folder);
    await truncate(join(folder, 'model.safetensors'), 100_000);
    using threads = watchThreads();
    await assert.rejects(
      createInferencePool(model, { workers: 2, threadsPerWorker: 1 }),
      vlmoError('MODEL_INVALID', folder),
    );
    assert.deepEqual([threads.alive.size, await preparedWeights()], [0, []]);
  });

  test('a task that the model refuses says so by its code, and the thread goes on', async () => {
    await using pool = await createInferencePool(await openModel(TINY), {
      workers: 1,
      threadsPerWorker: 1,
    });
    const none = pool.run({ kind: 'images', pixels: new SharedArrayBuffer(0), count: 0 });
    await assert.rejects(none, vlmoError('MODEL_INPUT_INVALID', 'Cannot embed pictures'));
    assert.equal((await pool.run({ kind: 'texts', texts: ['red'] })).length, 64);
  });

  test('a thread that dies rejects its task as WORKER_CRASHED, and another takes its place', async () => {
    using threads = watchThreads();
    await using pool = await createInferencePool(await openModel(TINY), {
      workers: 1,
      threadsPerWorker: 1,
    });
    const [thread] = threads.alive;
    // Long in the tokenizer: onnxruntime aborts the process where a thread is ended in the middle of a run.
    const running = pool.run({ kind: 'texts', texts: Array.from({ length: 100_000 }, () => 'red apple') });
    await Promise.all([
      thread?.terminate(),
      assert.rejects(running, vlmoError('WORKER_CRASHED', 'Cannot run the')),
    ]);
    assert.equal((await pool.run({ kind: 'texts', texts: ['red'] })).length, 64);
    assert.equal(threads.started(), 2);
  });
});

describe('InferencePool.runUrgent', () => {
  test('goes before all that waits for the one thread, and gives what run gives', async () => {
    await using pool = await createInferencePool(await openModel(TINY), {
      workers: 1,
      threadsPerWorker: 1,
    });
    const expected = await pool.run({ kind: 'texts', texts: ['red'] });
    const done: string[] = [];
    const run = async (name: string, how: 'run' | 'runUrgent') => {
      assert.deepEqual(await pool[how]({ kind: 'texts', texts: ['red'] }), expected);
      done.push(name);
    };
    await Promise.all([
      ...['running', 'bulk 1', 'bulk 2', 'bulk 3'].map((name) => run(name, 'run')),
      ...['URGENT 1', 'URGENT 2', 'URGENT 3'].map((name) => run(name, 'runUrgent')),
    ]);
    assert.deepEqual(done, ['running', 'URGENT 1', 'URGENT 2', 'URGENT 3', 'bulk 1', 'bulk 2', 'bulk 3']);
  });
});

interface RandomPixels {
  readonly shared: SharedArrayBuffer;
  readonly count: number;
}

function randomPixels(count: number, random: () => number): RandomPixels {
  const shared = new SharedArrayBuffer(count * SIZE);
  new Uint8Array(shared).forEach((_, i, values) => {
    values[i] = 256 * random();
  });
  return { shared, count };
}

/** As the model reads them, by the formula. */
function normalised(shared: SharedArrayBuffer): Float32Array {
  return Float32Array.from(new Uint8Array(shared), (value) => (value / 255 - 0.5) / 0.5);
}

async function compare(
  vlmo: Vlmo,
  pictures: readonly RandomPixels[],
  images: readonly Float32Array[],
  texts: readonly (readonly string[])[],
  captions: readonly Float32Array[],
): Promise<void> {
  for (const [i, { shared, count }] of pictures.entries()) {
    const { data } = await vlmo.embedImages({
      data: normalised(shared),
      dims: [count, 3, 64, 64],
    });
    assertClose(images[i], data, 1e-6, `pictures ${i}`);
  }
  for (const [i, some] of texts.entries())
    assertClose(captions[i], (await vlmo.embedTexts(some)).data, 1e-6, `texts ${i}`);
}

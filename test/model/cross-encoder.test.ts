import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import sharp from 'sharp';
import { VlmoError } from '#errors.ts';
import { createCrossEncoder } from '#model/cross-encoder.ts';
import type { PairLogits } from '#model/model.ts';
import { openModel } from '#model/open-model.ts';
import { loadVlmo } from '#model/vlmo/vlmo.ts';
import type { PreprocessTask } from '#workers/decode/protocol.ts';
import { createPools, type Pools } from '#workers/threads/create-pools.ts';
import { createPoolRunner } from '#workers/threads/pool-runner.ts';
import type { InferenceTask } from '#workers/threads/protocol.ts';
import { createThreadRunner } from '#workers/threads/thread-runner.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { readPixels } from '../search/demo-scenes.ts';
import { preparedWeights } from '../workers/threads/threads.ts';
import { importFixture, vlmoError } from './vlmo/model-fixture.ts';

const MODEL = await openModel(await importTiny(await temporaryFolder({ after })));
const LIMITS = { preprocess: 'reference', maxPixels: 1e8, maxImageBytes: 1e6 } as const;
const POOLS = {
  ...LIMITS,
  inferenceWorkers: 2,
  decodeThreads: 2,
  decodeTimeout: 60,
  decodeMemory: 512,
} as const;
const CRASHED = { code: 'WORKER_CRASHED', message: 'exit code 1' } as const;
const COLOURS = ['red', 'green', 'blue', 'white', 'black', 'pink'];
const TEXTS = Array.from({ length: 21 }, (_, i) => `${'red '.repeat(1 + ((i * 7) % 11))}dog ${i % 5}`);
const PICTURES = await drawPictures(await temporaryFolder({ after }));

/** 21 pictures that differ. */
async function drawPictures(folder: string): Promise<string[]> {
  return Promise.all(
    Array.from({ length: 21 }, async (_, i) => {
      const path = join(folder, `${i}.png`);
      const create = { width: 60 + i, height: 90, channels: 3, background: COLOURS[i % 6] ?? '' } as const;
      const spot = await sharp({
        create: { ...create, width: 20 + i, height: 30, background: COLOURS[(i + 2) % 5] ?? '' },
      })
        .png()
        .toBuffer();
      await sharp({ create })
        .composite([{ input: spot, left: i, top: 2 * i }])
        .png()
        .toFile(path);
      return path;
    }),
  );
}

/** Pools that note what they are asked for. */
function watch({ preprocess, inference }: Pools) {
  const [decoded, runs]: [string[], InferenceTask[]] = [[], []];
  const runUrgent = {
    preprocess: (task: PreprocessTask) => {
      decoded.push(...task.pictures.map(({ uri }) => uri));
      return preprocess.runUrgent(task);
    },
    inference: (task: InferenceTask) => {
      runs.push(task);
      return inference.runUrgent(task);
    },
  };
  const bulk = () => assert.fail('not urgent');
  const watched = {
    preprocess: { ...preprocess, run: bulk, runUrgent: runUrgent.preprocess },
    inference: { ...inference, run: bulk, runUrgent: runUrgent.inference },
  };
  return { pools: watched, decoded, runs };
}

function assertAllClose(found: readonly (PairLogits | VlmoError)[], expected: readonly number[]): void {
  assert.equal(found.length, expected.length);
  for (const [i, logits] of found.entries()) {
    assert.ok(!(logits instanceof VlmoError));
    const odds = logits.together - logits.apart;
    assert.ok(Math.abs(odds - (expected[i] ?? Number.NaN)) < 1e-4, `${i}: ${odds}, expected ${expected[i]}`);
  }
}

describe('CrossEncoder', async () => {
  const vlmo = await loadVlmo(MODEL.path, { threads: 1 });
  const pools = await createPools(MODEL, POOLS);
  const here = createThreadRunner(MODEL, { ...LIMITS, provider: 'cpu', threads: 1 });
  after(async () => {
    await here[Symbol.asyncDispose]();
    await pools[Symbol.asyncDispose]();
    await vlmo[Symbol.asyncDispose]();
  });
  /** One pair at a time. */
  const alone = async (path: string, text: string): Promise<number> => {
    const { logits } = await vlmo.match(await readPixels(vlmo, path), [text]);
    return (logits[1] ?? Number.NaN) - (logits[0] ?? Number.NaN);
  };
  const text = TEXTS[3] ?? '';
  const picture = PICTURES[3] ?? '';
  const byText = await Promise.all(PICTURES.map((path) => alone(path, text)));
  const byPicture = await Promise.all(TEXTS.map((some) => alone(picture, some)));

  test('the pairs of these tests differ', () => {
    assert.equal(new Set(byText.map((odds) => odds.toFixed(4))).size, PICTURES.length);
    assert.ok(new Set(byPicture.map((odds) => odds.toFixed(4))).size > 15);
  });

  test('in this thread and on the pools: the log-odds of every pair alone', async () => {
    for (const crossEncoder of [
      await createCrossEncoder(here),
      await createCrossEncoder(createPoolRunner(MODEL, pools)),
    ]) {
      // Log-odds, and the cosine as the model learned to scale it.
      const ofLogits = crossEncoder.score({ apart: 1, together: 3 }, 0);
      assert.equal(ofLogits, 2);
      const scale = crossEncoder.score({ apart: 1, together: 3 }, 1) - ofLogits;
      assert.ok(Math.abs(scale - 1 / 0.07) < 2e-2);
      assertAllClose(await crossEncoder.match(PICTURES, [text]), byText);
      assertAllClose(await crossEncoder.match(PICTURES.slice(0, 1), [text]), byText.slice(0, 1));
      assertAllClose(await crossEncoder.match([picture], TEXTS), byPicture);
      const bytes = await readFile(picture);
      assertAllClose(await crossEncoder.match([bytes], TEXTS), byPicture);
      assert.deepEqual(await crossEncoder.match([], [text]), []);
    }
  });

  test('each picture is decoded once, the text is sent with a batch, and batches are bounded', async () => {
    const watched = watch(pools);
    const crossEncoder = await createCrossEncoder(createPoolRunner(MODEL, watched.pools));
    await crossEncoder.match(PICTURES, [text]);
    assert.deepEqual(watched.decoded.toSorted(), PICTURES.toSorted());
    const sizes = watched.runs.map((task) => (task.kind === 'match' ? [task.count, task.texts] : []));
    assert.deepEqual(sizes, [
      [8, [text]],
      [8, [text]],
      [5, [text]],
    ]);
  });

  test('the picture that is searched by is decoded once, and goes alone with each batch of texts', async () => {
    const watched = watch(pools);
    const crossEncoder = await createCrossEncoder(createPoolRunner(MODEL, watched.pools));
    await crossEncoder.match([picture], TEXTS);
    assert.deepEqual(watched.decoded, [picture]);
    const sizes = watched.runs.map((task) => (task.kind === 'match' ? [task.count, task.texts.length] : []));
    assert.deepEqual(sizes, [
      [1, 8],
      [1, 8],
      [1, 5],
    ]);
  });

  test('pictures that cannot be read are errors in their places, wherever they stand', async (t) => {
    const folder = await temporaryFolder(t);
    const [none, broken] = [join(folder, 'none.png'), join(folder, 'broken.png')];
    await writeFile(broken, 'no picture');
    const url = 'https://example.org/a.png';
    const some = [none, ...PICTURES.slice(0, 3), broken, ...PICTURES.slice(3, 12), url, none, none];
    for (const crossEncoder of [
      await createCrossEncoder(here),
      await createCrossEncoder(createPoolRunner(MODEL, pools)),
    ]) {
      const found = await crossEncoder.match(some, [text]);
      const codes = found.map((odds) => (odds instanceof VlmoError ? odds.code : 'read'));
      const read = Array<string>(12).fill('read');
      const expected = ['ITEM_NOT_FOUND', ...read.slice(0, 3), 'IMAGE_INVALID', ...read.slice(3)];
      assert.deepEqual(codes, [...expected, 'URL_UNSUPPORTED', 'ITEM_NOT_FOUND', 'ITEM_NOT_FOUND']);
      assertAllClose(
        found.filter((logits) => !(logits instanceof VlmoError)),
        byText.slice(0, 12),
      );
      const nothing = await crossEncoder.match([none, broken], [text]);
      assert.ok(nothing.every((odds) => odds instanceof VlmoError));
      const [lost] = await crossEncoder.match([none], TEXTS);
      vlmoError('ITEM_NOT_FOUND', none)(lost);
    }
  });

  test('a process that dies while it decodes costs its picture alone', async () => {
    const [first = '', ...others] = PICTURES.slice(0, 4);
    const preprocess: Pools['preprocess'] = {
      ...pools.preprocess,
      runUrgent: async (task) => {
        const [lost, ...pictures] = task.pictures;
        if (lost?.uri !== first) return pools.preprocess.runUrgent(task);
        const outcomes = await pools.preprocess.runUrgent({ ...task, pictures });
        return [{ kind: 'failed', sha256: null, error: CRASHED }, ...outcomes];
      },
    };
    const crossEncoder = await createCrossEncoder(createPoolRunner(MODEL, { ...pools, preprocess }));
    const [lost, ...rest] = await crossEncoder.match([first, ...others], [text]);
    vlmoError('WORKER_CRASHED', 'exit code 1')(lost);
    assertAllClose(rest, byText.slice(1, 4));
  });

  test('an error of the model is an error of the whole', async () => {
    const inference = { ...pools.inference, runUrgent: () => Promise.reject(new Error('out of memory')) };
    const crossEncoder = await createCrossEncoder(createPoolRunner(MODEL, { ...pools, inference }));
    await assert.rejects(crossEncoder.match(PICTURES, [text]), /out of memory/);
  });
});

test('a thread of the pool makes its fusion session of the weights that all threads share', async () => {
  await using pools = await createPools(MODEL, POOLS);
  const before = await preparedWeights();
  const crossEncoder = await createCrossEncoder(createPoolRunner(MODEL, pools));
  let isDone = false;
  const matching = crossEncoder.match([PICTURES[0] ?? ''], TEXTS).finally(() => {
    isDone = true;
  });
  while (!isDone) assert.deepEqual(await preparedWeights(), before);
  await matching;
  assert.equal(before.length, 1);
});

test('a checkpoint without an ITM head is refused before anything is read, and told which have one', async (t) => {
  const missing = vlmoError(
    'MODEL_HEAD_MISSING',
    'itm_score',
    'vlmo_base_patch16_224.pt',
    'vlmo_base_plus_patch16_224.pt',
    'vlmo_large_patch16_224.pt',
  );
  const { path } = (await importFixture(t, 'reference/vlmo-tiny/tiny_abs.pt', { heads: 4 })).model;
  const model = await openModel(path);
  const retrieval = createThreadRunner(model, { ...LIMITS, provider: 'cpu' });
  await assert.rejects(createCrossEncoder(retrieval), missing);
  const run = () => assert.fail('somebody was asked');
  const precision = { precision: 'f32', reason: null } as const;
  const pool = {
    ...{ threads: 1, concurrency: 1, precision, run, runUrgent: run },
    [Symbol.asyncDispose]: async () => {},
  };
  await assert.rejects(
    createCrossEncoder(createPoolRunner(model, { preprocess: pool, inference: pool })),
    missing,
  );
});

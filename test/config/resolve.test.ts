import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { INDEX_OPTIONS } from '#config/options.ts';
import { CONFIG_FILE, readConfigFile, resolveConfig } from '#config/resolve.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';

const NAMES = Object.keys(INDEX_OPTIONS) as (keyof typeof INDEX_OPTIONS)[];
const NOBODY = { flags: {}, env: {}, file: {} };

describe('resolveConfig', () => {
  test('said nothing, every option has its default', () => {
    assert.deepEqual(resolveConfig(NAMES, NOBODY), {
      device: 'auto',
      preprocess: 'fast',
      batchSize: 'auto',
      decodeThreads: availableParallelism(),
      inferenceWorkers: 'auto',
      maxPixels: 100_000_000,
      maxImageBytes: 256 * 1024 * 1024,
      decodeTimeout: 60,
    });
  });

  test('a flag counts before the environment, that before the file, that before the default', () => {
    const file = { batchSize: 3, decodeThreads: 3, maxPixels: 3 };
    const env = { VLMO_BATCH_SIZE: '2', VLMO_DECODE_THREADS: '2', OTHER: 'x' };
    const { batchSize, decodeThreads, maxPixels } = resolveConfig(NAMES, {
      flags: { batchSize: '1' },
      env,
      file,
    });
    assert.deepEqual([batchSize, decodeThreads, maxPixels], [1, 2, 3]);
  });

  test('the result cannot be changed', () => {
    assert.ok(Object.isFrozen(resolveConfig(NAMES, NOBODY)));
  });

  test('flags of the command that are no options of a run are left alone', () => {
    const config = resolveConfig(NAMES, { ...NOBODY, flags: { index: 'x', json: true } });
    assert.deepEqual(Object.keys(config).length, 8);
  });

  for (const [who, sources] of [
    ['--batch-size', { ...NOBODY, flags: { batchSize: '0' } }],
    ['VLMO_BATCH_SIZE', { ...NOBODY, env: { VLMO_BATCH_SIZE: '4097' } }],
    ['"batchSize" in vlmo.config.json', { ...NOBODY, file: { batchSize: 1.5 } }],
    ['--preprocess', { ...NOBODY, flags: { preprocess: 'slow' } }],
    ['VLMO_PREPROCESS', { ...NOBODY, env: { VLMO_PREPROCESS: '' } }],
    ['VLMO_MAX_PIXELS', { ...NOBODY, env: { VLMO_MAX_PIXELS: '' } }],
    ['"maxPixels" in vlmo.config.json', { ...NOBODY, file: { maxPixels: '12 million' } }],
    ['"decodeThreads" in vlmo.config.json', { ...NOBODY, file: { decodeThreads: true } }],
    ['"decodeThreads" in vlmo.config.json', { ...NOBODY, file: { decodeThreads: [2] } }],
    ['"decodeThreads" in vlmo.config.json', { ...NOBODY, file: { decodeThreads: null } }],
  ] as const) {
    test(`a value that cannot be is refused with who said it: ${who}`, () => {
      assert.throws(
        () => resolveConfig(NAMES, sources),
        vlmoError('CONFIG_INVALID', `Cannot use ${who}: expected `),
      );
    });
  }

  test('the message says what was received, whatever it was', () => {
    const sources = { ...NOBODY, file: { batchSize: { pictures: 3 } } };
    assert.throws(() => resolveConfig(NAMES, sources), vlmoError('CONFIG_INVALID', '{"pictures":3}'));
  });

  test('an option of a file that there is not is refused, with those that there are', () => {
    const sources = { ...NOBODY, file: { batchSise: 3 } };
    assert.throws(
      () => resolveConfig(NAMES, sources),
      vlmoError('CONFIG_INVALID', 'vlmo.config.json', 'batchSise', 'batchSize'),
    );
  });
});

describe('readConfigFile', () => {
  /** Reads as from that folder. */
  async function readIn(folder: string): Promise<unknown> {
    const before = process.cwd();
    process.chdir(folder);
    return readConfigFile().finally(() => process.chdir(before));
  }

  test('no file says nothing', async (t) => {
    assert.deepEqual(await readIn(await temporaryFolder(t)), {});
  });

  test('a file says what its object holds', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, CONFIG_FILE), '{ "batchSize": 8 }');
    assert.deepEqual(await readIn(folder), { batchSize: 8 });
  });

  for (const text of ['', '{', '[1]', '"x"', 'null']) {
    test(`${JSON.stringify(text)} is refused by the file's name`, async (t) => {
      const folder = await temporaryFolder(t);
      await writeFile(join(folder, CONFIG_FILE), text);
      await assert.rejects(
        readIn(folder),
        vlmoError('CONFIG_INVALID', 'vlmo.config.json', 'expected a JSON object'),
      );
    });
  }

  test('a folder of that name is refused by its name', async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, CONFIG_FILE));
    await assert.rejects(readIn(folder), vlmoError('CONFIG_INVALID', 'vlmo.config.json'));
  });
});

import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import { resolveCommand } from '#config/resolve.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';

const NOBODY = { flags: {}, env: {}, file: {} };

describe('resolveCommand', () => {
  test('said nothing, every option of the command has its default, or is undefined', () => {
    const { config, origin } = resolveCommand('worker', NOBODY);
    assert.deepEqual(config, {
      index: undefined,
      json: false,
      embeddedRedis: false,
      concurrency: 4,
      drainTimeout: 30,
      lockDuration: 30,
      maxWaiting: 4096,
      redisPatience: 'auto',
      logLevel: 'info',
      device: 'auto',
      precision: 'auto',
      reranker: undefined,
      rerankerCache: undefined,
      rerankerMemory: 512 * 1024 * 1024,
      batchSize: 'auto',
      decodeThreads: Math.min(16, Math.max(1, availableParallelism() - 2)),
      inferenceWorkers: 'auto',
      maxPixels: 50_000_000,
      maxImageBytes: 256 * 1024 * 1024,
      decodeTimeout: 60,
      decodeMemory: 512,
      fetchAllows: undefined,
      fetchOnlyAllowed: false,
      fetchConcurrency: 64,
      fetchPerHost: 8,
      fetchTimeout: 30,
      fetchRetries: 2,
      fetchMemory: 256,
      ignoreRobots: false,
    });
    assert.equal(origin('device'), 'default');
  });

  test('a flag counts before the environment, that before the file, that before the default', () => {
    const file = { batchSize: 3, decodeThreads: 3, maxPixels: 3 };
    const env = { VLMO_BATCH_SIZE: '2', VLMO_DECODE_THREADS: '2', OTHER: 'x' };
    const { config, origin } = resolveCommand('index', { flags: { batchSize: '1' }, env, file });
    assert.deepEqual(
      [config.batchSize, config.decodeThreads, config.maxPixels, config.decodeTimeout],
      [1, 2, 3, 60],
    );
    const names = ['batchSize', 'decodeThreads', 'maxPixels', 'decodeTimeout'] as const;
    assert.deepEqual(names.map(origin), ['flag', 'environment', 'file', 'default']);
  });

  test("a command's own default counts before the table's", () => {
    assert.equal(resolveCommand('search', NOBODY).config.in, 'images');
    assert.equal(resolveCommand('retrieve', NOBODY).config.in, undefined);
    assert.equal(resolveCommand('failures', NOBODY).config.collection, undefined);
  });

  test('the result cannot be changed', () => {
    assert.ok(Object.isFrozen(resolveCommand('index', NOBODY).config));
  });

  test('options of other commands are left alone, be they wrong', () => {
    const { config } = resolveCommand('queue pause', { ...NOBODY, env: { VLMO_BATCH_SIZE: 'x' } });
    assert.deepEqual(Object.keys(config).toSorted(), ['embeddedRedis', 'index', 'json', 'redisPatience']);
  });

  for (const empty of ['', '  '])
    test(`an environment variable ${JSON.stringify(empty)} says nothing`, () => {
      const sources = {
        ...NOBODY,
        env: { VLMO_PREPROCESS: empty, VLMO_MAX_PIXELS: empty },
        file: { maxPixels: 3 },
      };
      const { preprocess, maxPixels } = resolveCommand('index', sources).config;
      assert.deepEqual([preprocess, maxPixels], ['fast', 3]);
    });

  for (const [who, sources] of [
    ['--batch-size', { ...NOBODY, flags: { batchSize: '0' } }],
    ['VLMO_BATCH_SIZE', { ...NOBODY, env: { VLMO_BATCH_SIZE: '4097' } }],
    ['"batchSize" in vlmo.config.json', { ...NOBODY, file: { batchSize: 1.5 } }],
    ['--preprocess', { ...NOBODY, flags: { preprocess: 'slow' } }],
    ['--preprocess', { ...NOBODY, flags: { preprocess: '' } }],
    ['VLMO_RETRY_FAILED', { ...NOBODY, env: { VLMO_RETRY_FAILED: 'maybe' } }],
    ['"maxPixels" in vlmo.config.json', { ...NOBODY, file: { maxPixels: '12 million' } }],
    ['"decodeThreads" in vlmo.config.json', { ...NOBODY, file: { decodeThreads: null } }],
    ['"index" in vlmo.config.json', { ...NOBODY, file: { index: 7 } }],
  ] as const)
    test(`a value that cannot be is refused with who said it: ${who}`, () => {
      assert.throws(
        () => resolveCommand('index', sources),
        vlmoError('CONFIG_INVALID', `Cannot use ${who}: expected `),
      );
    });

  test('the message says what was received, whatever it was', () => {
    const sources = { ...NOBODY, file: { batchSize: { pictures: 3 } } };
    assert.throws(() => resolveCommand('index', sources), vlmoError('CONFIG_INVALID', '{"pictures":3}'));
  });
});

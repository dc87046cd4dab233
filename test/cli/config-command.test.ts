import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ALL_OPTIONS } from '#config/options.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { assertCannotRun, vlmo, vlmoJson } from './cli-fixture.ts';

interface Row {
  readonly option: string;
  readonly value: unknown;
  readonly origin: string;
  readonly reason: string | null;
}

describe('vlmo config', () => {
  test('every option with its value and who said so, and the Redis without its password', async (t) => {
    const cwd = await temporaryFolder(t);
    await writeFile(join(cwd, 'vlmo.config.json'), '\uFEFF{ "decodeThreads": 3, "index": "photos" }');
    const env = { VLMO_MAX_PIXELS: '9', VLMO_INDEX: '', REDIS_URL: 'redis://me:secret@example.org/2' };
    const { lines } = await vlmoJson<Row>(['config', '--json'], 0, { cwd, env });
    assert.deepEqual(
      lines.map(({ option }) => option),
      [...Object.keys(ALL_OPTIONS), 'redisUrl'],
    );
    const found = (name: string): unknown[] => {
      const row = lines.find(({ option }) => option === name);
      return [row?.value, row?.origin];
    };
    assert.deepEqual(found('maxPixels'), [9, 'environment']);
    assert.deepEqual(found('decodeThreads'), [3, 'file']);
    assert.deepEqual(found('index'), ['photos', 'file']);
    assert.deepEqual(found('preprocess'), ['fast', 'default']);
    assert.deepEqual(found('where'), [null, 'default']);
    assert.deepEqual(found('redisUrl'), ['redis://example.org:6379/2', 'environment']);
  });

  test('of one command, as a table', async (t) => {
    const options = { cwd: await temporaryFolder(t), env: { VLMO_CHUNK_ITEMS: '7' } };
    const { code, stdout, stderr } = await vlmo(['config', 'queue', 'retry-failed'], options);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^--chunk-items +7 +VLMO_CHUNK_ITEMS$/m);
    assert.match(stdout, /^--max-waiting +4096 +default$/m);
    assert.equal(stdout.includes('--device'), false);
  });

  test('what cannot be used, and a variable of no option, are named', async (t) => {
    const options = { cwd: await temporaryFolder(t), env: { VLMO_BATCH_SIZE: 'x', VLMO_BATCHSIZE: '3' } };
    const { code, stdout, stderr } = await vlmo(['config'], options);
    assert.equal(code, 1);
    assert.match(stdout, /^--batch-size +Cannot use VLMO_BATCH_SIZE: expected .+, received "x"$/m);
    assert.equal(stderr, 'VLMO_BATCHSIZE is set, and no option has that name.\n');
  });

  test('a command that there is not is refused', async () => {
    await assertCannotRun(['config', 'indx'], 'USAGE_INVALID', '"indx"');
  });
});

describe('options', () => {
  test('what a command requires may come from the environment; the flag counts before it', async (t) => {
    const cwd = await temporaryFolder(t);
    const env = { VLMO_INDEX: join(cwd, 'a') };
    const said = await vlmo(['failures'], { cwd, env });
    assert.match(said.stderr, /a".+\[STORE_NOT_FOUND\]/);
    const flag = await vlmo(['failures', '--index', join(cwd, 'b')], { cwd, env });
    assert.match(flag.stderr, /b".+\[STORE_NOT_FOUND\]/);
    const none = await vlmo(['failures'], { cwd });
    assert.deepEqual(
      [none.code, none.stderr],
      [1, "error: required option '--index <folder>' not specified\n"],
    );
  });

  test('embed: inputs keep the order of the command line; the environment comes behind', async () => {
    const args = ['embed', '--model', 'demo', '--device', 'cpu', '--text', 'b', 'a', '--text', 'c'];
    const { lines } = await vlmoJson<{ source: string }>(args, 2, { env: { VLMO_IMAGE: '/none.png' } });
    assert.deepEqual(
      lines.map(({ source }) => source),
      ['b', 'a', 'c'],
    );
  });
});

import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPictures, put } from '../pipeline/pictures.ts';
import { assertCannotRun, vlmo, vlmoJson } from './cli-fixture.ts';

const MODEL = await importTiny(await temporaryFolder({ after }));

interface Summary {
  readonly run: string;
  readonly state: string;
  readonly collection: string;
  readonly generation: string;
  readonly seconds: number;
}

/** A summary without what differs from run to run. */
function stable({ run, seconds, generation, ...rest }: Summary): object {
  assert.match(run, /^[0-9a-f-]{36}$/);
  assert.ok(seconds >= 0);
  assert.match(generation, /^[a-z]+\.[0-9a-f]{12}$/);
  return rest;
}

describe('vlmo index', () => {
  test('--json prints one summary and nothing else on stdout; 0, then 0 with nothing to do', async (t) => {
    const folder = await temporaryFolder(t);
    await drawPictures(join(folder, 'pictures'), 0, 5);
    await put(folder, 'pictures/p0001.txt', 'a caption');
    const args = ['index', 'pictures', '--index', 'index', '--json'];
    const first = await vlmoJson<Summary>([...args, '--model', 'demo'], 0, { cwd: folder });
    assert.equal(first.lines.length, 1);
    const counts = {
      state: 'complete',
      collection: 'default',
      seen: 6,
      failed: 0,
      known_failures: 0,
      truncated: 0,
      gone: { images: 0, captions: 0, failures: 0 },
      pruned: false,
      left_out: {},
    };
    assert.deepEqual(stable(first.lines[0] as Summary), {
      ...counts,
      ...{ stored: 6, skipped: 0 },
      images: { seen: 5, stored: 5, skipped: 0, failed: 0 },
      captions: { seen: 1, stored: 1, skipped: 0, failed: 0 },
    });
    // The model is the collection's own now.
    const second = await vlmoJson<Summary>(args, 0, { cwd: folder });
    assert.deepEqual(stable(second.lines[0] as Summary), {
      ...counts,
      ...{ stored: 0, skipped: 6 },
      images: { seen: 5, stored: 0, skipped: 5, failed: 0 },
      captions: { seen: 1, stored: 0, skipped: 1, failed: 0 },
    });
    const third = await vlmo(args.slice(0, -1), { cwd: folder });
    assert.deepEqual(
      [third.code, third.stdout],
      [0, 'Nothing to do: 5 pictures and 1 caption are stored already.\n'],
    );
  });

  test('2 where items failed, 2 again where they are known, 0 when they are mended', async (t) => {
    const folder = await temporaryFolder(t);
    await drawPictures(folder, 0, 2);
    await put(folder, 'broken.jpg', 'no picture');
    const args = ['index', folder, '--index', join(folder, '.index'), '--model', MODEL];
    const first = await vlmo(args, { isProcess: true });
    assert.equal(first.code, 2);
    assert.match(
      first.stdout,
      /^Stored 2 pictures and 0 captions in .*; 0 pictures and 0 captions were stored already, 1 failed\.\nWhat failed, and why: vlmo fail/,
    );
    const second = await vlmo(args);
    assert.deepEqual(
      [second.code, second.stdout.split('\n')[0]],
      [2, 'Nothing to do: 2 pictures and 0 captions are stored already, 1 failed before.'],
    );
    const [retried] = (
      await vlmoJson<{ failed: number; known_failures: number }>([...args, '--retry-failed', '--json'], 2)
    ).lines;
    assert.deepEqual([retried?.failed, retried?.known_failures], [1, 0]);
    await rm(join(folder, 'broken.jpg'));
    await drawPictures(folder, 2, 3);
    assert.equal((await vlmo(args)).code, 0);
  });

  test('an empty source is done and says so', async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, 'empty'));
    const ran = await vlmo(['index', 'empty', '--index', 'index', '--model', MODEL], { cwd: folder });
    assert.deepEqual([ran.code, ran.stdout], [0, 'The source holds no pictures or captions.\n']);
  });

  test('flag, environment and vlmo.config.json are read, and a value that cannot be is refused by who said it', async (t) => {
    const folder = await temporaryFolder(t);
    await drawPictures(join(folder, 'pictures'), 0, 2);
    await writeFile(join(folder, 'vlmo.config.json'), '{ "preprocess": "reference" }');
    const args = ['index', 'pictures', '--index', 'index', '--model', MODEL, '--json'];
    const env = { VLMO_MAX_PIXELS: '100' };
    const small = await vlmoJson<{ failed: number; generation: string }>(args, 2, { cwd: folder, env });
    assert.equal(small.lines[0]?.failed, 2);
    const large = await vlmoJson<{ stored: number; generation: string }>(
      [...args, '--max-pixels', '1000', '--retry-failed'],
      0,
      { cwd: folder, env },
    );
    assert.equal(large.lines[0]?.stored, 2);
    const fast = await vlmoJson<{ generation: string }>([...args, '--preprocess', 'fast'], 0, {
      cwd: folder,
    });
    assert.notEqual(fast.lines[0]?.generation, large.lines[0]?.generation);
    const refused = await vlmo(args, { cwd: folder, env: { VLMO_BATCH_SIZE: 'many' } });
    assert.deepEqual([refused.code, refused.stdout], [1, '']);
    assert.match(
      refused.stderr,
      /^vlmo: Cannot use VLMO_BATCH_SIZE: expected .*, received "many" \[CONFIG_INVALID\]\n$/,
    );
  });

  test('1 and one line for what cannot run', async (t) => {
    const folder = await temporaryFolder(t);
    const index = join(folder, 'index');
    await put(folder, 'pictures/notes.txt', 'x');
    await put(folder, 'occupied/notes.txt', 'x');
    await put(folder, 'note.pdf', 'x');
    const model = ['--model', MODEL];
    const pictures = join(folder, 'pictures');
    await assertCannotRun(
      ['index', join(folder, 'gone'), '--index', index, ...model],
      'SOURCE_NOT_FOUND',
      'gone',
    );
    await assertCannotRun(
      ['index', join(folder, 'note.pdf'), '--index', index, ...model],
      'SOURCE_UNSUPPORTED',
    );
    await assertCannotRun(['index', pictures, '--index', index], 'USAGE_INVALID', '--model');
    await assertCannotRun(
      ['index', pictures, '--index', index, '--model', folder],
      'MODEL_NOT_FOUND',
      folder,
    );
    await assertCannotRun(
      ['index', pictures, '--index', join(folder, 'occupied'), ...model],
      'STORE_FOLDER_OCCUPIED',
    );
    await assertCannotRun(
      ['index', pictures, '--index', index, ...model, '--collection', 'a/b'],
      'STORE_COLLECTION_INVALID',
      'a/b',
    );
  });

  test('1 and help for a flag or a command that there is not', async () => {
    for (const args of [['index'], ['index', 'x', '--index', 'y', '--fast'], ['indx'], []]) {
      const ran = await vlmo(args, { isProcess: true });
      assert.deepEqual([ran.code, ran.stdout], [1, ''], args.join(' '));
      assert.ok(ran.stderr.length > 0);
    }
  });

  test('progress without a terminal goes to stderr in lines, and stdout holds the summary alone', async (t) => {
    const folder = await temporaryFolder(t);
    await drawPictures(folder, 0, 3);
    const args = ['index', folder, '--index', join(folder, '.index'), '--model', MODEL, '--json'];
    const ran = await vlmo(args, { isProcess: true });
    assert.equal(ran.stdout.split('\n').length, 2);
    assert.doesNotMatch(ran.stderr + ran.stdout, /\p{Cc}\[/u, 'no escape codes');
    assert.ok(!ran.stderr.includes(fixture('')), 'no stack');
  });
});

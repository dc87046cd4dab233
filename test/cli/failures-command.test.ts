import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { itemKey } from '#store/item-key.ts';
import { fixture, temporaryFolder } from '../fixtures/files.ts';
import { importTiny } from '../fixtures/tiny-model.ts';
import { drawPicture, put } from '../pipeline/pictures.ts';
import { assertCannotRun, vlmo, vlmoJson } from './cli-fixture.ts';

const MODEL = await importTiny(await temporaryFolder({ after }));

describe('vlmo failures', () => {
  test('one object a line with exactly these keys; attempts grow by --retry-failed alone', async (t) => {
    const folder = await temporaryFolder(t);
    const [pictures, index] = [join(folder, 'pictures'), join(folder, 'index')];
    await put(pictures, 'good.png', await drawPicture(1));
    await put(pictures, 'broken.jpg', 'no picture');
    await put(pictures, 'good.json', '[]');
    const args = ['index', pictures, '--index', index, '--model', MODEL];
    await vlmo(args);
    const { lines } = await vlmoJson<Record<string, unknown>>(['failures', '--index', index, '--json']);
    assert.deepEqual(
      lines.map((line) => Object.keys(line)),
      Array(2).fill(['id', 'uri', 'code', 'message', 'attempts', 'key', 'source']),
    );
    const broken = join(pictures, 'broken.jpg');
    assert.deepEqual(
      lines.find(({ id }) => id === 'broken.jpg'),
      {
        id: 'broken.jpg',
        uri: broken,
        code: 'IMAGE_INVALID',
        message: `Cannot decode image "${broken}": expected a JPEG, PNG, WebP, GIF, TIFF, AVIF or SVG picture, received 10 bytes of something else`,
        attempts: 1,
        key: itemKey(pictures, 'image', 'broken.jpg'),
        source: pictures,
      },
    );
    assert.equal(lines.find(({ id }) => id === 'good.json')?.code, 'SOURCE_ROW_INVALID');

    await vlmo([...args, '--retry-failed']);
    const again = await vlmoJson<Record<string, unknown>>(['failures', '--index', index, '--json']);
    assert.deepEqual(
      again.lines.map(({ attempts }) => attempts),
      [2, 2],
    );

    const shown = await vlmo(['failures', '--index', index]);
    assert.equal(shown.code, 0);
    assert.match(
      shown.stdout,
      /^broken\.jpg\n {2}Cannot decode image .*\n {2}IMAGE_INVALID, tried 2 times$/m,
    );
    assert.match(shown.stderr, /^2 failed\. .*--retry-failed, or, .*: vlmo queue retry-failed --index …\n$/);
    assert.deepEqual(
      (await vlmoJson(['failures', '--index', index, '--collection', 'other', '--json'])).lines,
      [],
    );
  });

  test('nothing failed: no line on stdout; no index: 1', async (t) => {
    const folder = await temporaryFolder(t);
    await put(folder, 'pictures/good.png', await drawPicture(1));
    const index = join(folder, 'index');
    await vlmo(['index', join(folder, 'pictures'), '--index', index, '--model', MODEL]);
    const none = await vlmo(['failures', '--index', index]);
    assert.deepEqual([none.code, none.stdout, none.stderr], [0, '', 'Nothing has failed.\n']);
    await assertCannotRun(['failures', '--index', join(folder, 'none')], 'STORE_NOT_FOUND', 'none');
  });

  test('a reader that goes away early (| head -1) ends it without a stack', async (t) => {
    const folder = await temporaryFolder(t);
    const rows = Array.from({ length: 3000 }, (_, n) => `ftp://example.org/${n}.png`);
    await put(folder, 'list.csv', ['image', ...rows].join('\n'));
    const index = join(folder, 'index');
    await vlmo(['index', join(folder, 'list.csv'), '--index', index, '--model', MODEL]);
    const command = `"$0" "$1" failures --index "$2" --json | head -n 1; echo "exit \${PIPESTATUS[0]}"`;
    const args = ['-c', command, process.execPath, fixture('../../bin/vlmo.js'), index];
    const { stdout, stderr } = await promisify(execFile)('bash', args);
    const [line = '', exit] = stdout.split('\n');
    assert.deepEqual(Object.keys(JSON.parse(line)), [
      'id',
      'uri',
      'code',
      'message',
      'attempts',
      'key',
      'source',
    ]);
    assert.deepEqual([exit, stderr], ['exit 0', '']);
  });
});

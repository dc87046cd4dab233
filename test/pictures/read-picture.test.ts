import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readPicture } from '#pictures/read-picture.ts';
import { temporaryFolder } from '../fixtures/files.ts';
import { vlmoError } from '../model/vlmo/model-fixture.ts';

const LIMIT = 1000;

describe('readPicture', () => {
  test('gives every byte of a file, up to the limit exactly', async (t) => {
    const path = join(await temporaryFolder(t), 'a.jpg');
    const bytes = Uint8Array.from({ length: LIMIT }, (_, i) => i % 251);
    await writeFile(path, bytes);
    assert.deepEqual(readPicture(path, LIMIT), bytes);
    assert.throws(
      () => readPicture(path, LIMIT - 1),
      vlmoError('IMAGE_TOO_LARGE', path, 'at most 999 bytes, received 1000', '--max-image-bytes'),
    );
  });

  test('follows a link', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'a.jpg'), 'x');
    await symlink(join(folder, 'a.jpg'), join(folder, 'b.jpg'));
    assert.deepEqual(readPicture(join(folder, 'b.jpg'), LIMIT), Uint8Array.of(0x78));
  });

  test('a file that is not there is ITEM_NOT_FOUND, which may help to try again', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'file'), '');
    await symlink(join(folder, 'gone'), join(folder, 'dangling.jpg'));
    for (const name of ['a.jpg', 'file/a.jpg', 'dangling.jpg']) {
      assert.throws(
        () => readPicture(join(folder, name), LIMIT),
        vlmoError('ITEM_NOT_FOUND', join(folder, name), 'received none'),
      );
    }
  });

  test('a folder, a pipe nobody writes to, a socket and a device are refused at once', async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, 'folder.jpg'));
    execFileSync('mkfifo', [join(folder, 'pipe.jpg')]);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(join(folder, 'socket.jpg'), resolve));
    t.after(() => server.close());
    const places = ['folder.jpg', 'pipe.jpg', 'socket.jpg'].map((name) => join(folder, name));
    for (const path of [...places, '/dev/zero'])
      assert.throws(() => readPicture(path, LIMIT), vlmoError('ITEM_UNREADABLE', path));
  });

  test('an address is refused with the way out; a name with a colon is a file', async (t) => {
    for (const url of ['https://example.org/a.jpg', 'S3://bucket/a.jpg', 'file:///a.jpg'])
      assert.throws(() => readPicture(url, LIMIT), vlmoError('URL_UNSUPPORTED', url, 'download it first'));
    const path = join(await temporaryFolder(t), 'http:a.jpg');
    await writeFile(path, 'y');
    assert.equal(readPicture(path, LIMIT).length, 1);
  });

  test('an empty file has no bytes; that it is no picture is for the decoder to say', async (t) => {
    const path = join(await temporaryFolder(t), 'empty.jpg');
    await writeFile(path, '');
    assert.equal(readPicture(path, LIMIT).length, 0);
  });
});

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join, relative } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
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
    for (const url of ['https://example.org/a.jpg', 'S3://bucket/a.jpg'])
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

  test('a file URL is its file, also where the name is no UTF-8; a path is never decoded', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'a b.jpg'), '1');
    await writeFile(join(folder, 'a%20b.jpg'), '22');
    await writeFile(Buffer.concat([Buffer.from(`${folder}/caf`), Buffer.from([0xe9])]), '333');
    assert.equal(readPicture(pathToFileURL(join(folder, 'a b.jpg')).href, LIMIT).length, 1);
    assert.equal(readPicture(join(folder, 'a%20b.jpg'), LIMIT).length, 2);
    assert.equal(readPicture(`file://${folder}/caf%E9`, LIMIT).length, 3);
    assert.throws(() => readPicture(`file://${folder}/gone%E9`, LIMIT), vlmoError('ITEM_NOT_FOUND', '%E9'));
    for (const url of ['file://elsewhere/a.jpg', `file://${folder}%2Fa`, `file://${folder}/a%00b`])
      assert.throws(() => readPicture(url, LIMIT), vlmoError('ITEM_UNREADABLE', url));
  });

  test('Unicode forms meet, in every part of the path, and what is there byte for byte goes first', async (t) => {
    const folder = await temporaryFolder(t);
    const [composed, decomposed] = ['\u00fcber', 'u\u0308ber'];
    await mkdir(join(folder, decomposed));
    await writeFile(join(folder, decomposed, `${composed}.jpg`), '1');
    for (const [one, other] of [
      [composed, composed],
      [composed, decomposed],
      [decomposed, decomposed],
    ] as const)
      assert.equal(readPicture(join(folder, one, `${other}.jpg`), LIMIT).length, 1);
    await writeFile(join(folder, decomposed, `${decomposed}.jpg`), '22');
    assert.equal(readPicture(join(folder, composed, `${decomposed}.jpg`), LIMIT).length, 2);
  });

  test('folders divided as on Windows are found, but lead nowhere else', async (t) => {
    const folder = await temporaryFolder(t);
    await mkdir(join(folder, 'sub'));
    await writeFile(join(folder, 'sub', 'a.jpg'), '1');
    await writeFile(join(folder, 'secret.jpg'), '1');
    assert.equal(readPicture(`${folder}/sub\\a.jpg`, LIMIT).length, 1);
    await writeFile(join(folder, 'sub\\a.jpg'), '22');
    assert.equal(readPicture(`${folder}/sub\\a.jpg`, LIMIT).length, 2);
    assert.throws(
      () => readPicture(`${folder}/sub/..\\secret.jpg`, LIMIT),
      vlmoError('ITEM_NOT_FOUND', 'secret'),
    );
  });

  test('a relative path is of the working directory, in its other spellings too', async (t) => {
    const folder = await temporaryFolder(t);
    await writeFile(join(folder, 'a\u0308.jpg'), '1');
    const here = relative(process.cwd(), folder);
    assert.equal(readPicture(join(here, '\u00e4.jpg'), LIMIT).length, 1);
    const elsewhere = folder.slice(1);
    assert.throws(
      () => readPicture(join(elsewhere, '\u00e4.jpg'), LIMIT),
      vlmoError('ITEM_NOT_FOUND', elsewhere),
    );
  });
});
